use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::AddAssign;

use crate::domain::{FailureClass, Grain, Instant, Status, Word};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

/// A quarter hour of a UTC day, 0 to 95. Stores whose days begin on whole hours use every fourth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot(pub u8);

impl Slot {
    /// The UTC day and slot of an instant, at the store's grain.
    pub fn of(at: Instant, grain: Grain) -> (NaiveDate, Self) {
        let minutes = chrono::Timelike::num_seconds_from_midnight(&at) / 60;
        let quarter = match grain {
            Grain::Hour => minutes / 60 * 4,
            Grain::Quarter => minutes / 15,
        };
        (at.date_naive(), Self(u8::try_from(quarter).unwrap_or(95)))
    }

    /// When the slot begins on that UTC day.
    pub fn starts_at(self, day: NaiveDate) -> DateTime<Utc> {
        day.and_time(chrono::NaiveTime::MIN).and_utc() + TimeDelta::minutes(i64::from(self.0) * 15)
    }
}

/// Which stream a money cell comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Feed {
    /// The store's own records (`transactions`).
    Live,
    /// Bills and statements (`ledger_lines`).
    Ledger,
}

/// What moved, in a money cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MoneyKind {
    Payment,
    Refund,
    Dispute,
    /// Deposits captured.
    Hold,
    /// Stored value bought: a liability, not income.
    TopUp,
    /// A fee line of its own (ledger only).
    Fee,
    Payout,
    Transfer,
    Adjustment,
}

/// Where a movement of money is counted: the cash clock (`completed_at`, else `created_at`; ledger: `posted_at`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MoneyKey {
    pub slot: Slot,
    pub feed: Feed,
    pub kind: MoneyKind,
    pub account: Word,
    pub provider: Word,
    pub method: Word,
    pub scene: Word,
    pub operator: Word,
    pub promotion: Word,
    pub currency: Word,
}

/// Sums over posted movements. Amounts in minor units of the cell's currency, unsigned; the kind gives the direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MoneySums {
    pub count: i64,
    /// Paid after discounts (ledger: gross).
    pub amount: i128,
    /// 应收: `list_amount`, or amount and discounts where the sender gives none.
    pub list: i128,
    pub discount_merchant: i128,
    pub discount_platform: i128,
    pub tax: i128,
    /// Fees known from the records; more than 0 is a cost.
    pub fee: i128,
    /// How many of `count` state their fee. The rest is unknown, not 0.
    pub fee_known_count: i64,
    /// The amount of those that state their fee.
    pub fee_known_amount: i128,
    pub fee_refunded: i128,
}

/// Where an attempt is counted: when it was created, with what became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AttemptKey {
    pub slot: Slot,
    pub provider: Word,
    pub method: Word,
    pub scene: Word,
    pub promotion: Word,
    pub currency: Word,
    pub status: Status,
    /// The provider's code; empty unless failed.
    pub failure_code: Word,
    pub failure_class: Option<FailureClass>,
}

/// Attempts of one cell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AttemptSums {
    pub count: i64,
    pub amount: i128,
}

/// What a conversion cell counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Unit {
    /// A payment intent: every attempt with one `payment_id` (else `order_id`) within 24 hours of its first.
    Payment,
    /// An attempt group: attempts of one intent with the same method and amount, at most 30 minutes apart, up to the
    /// first success.
    AttemptGroup,
}

/// Where an intent or attempt group is counted: when its first attempt was created, by that attempt's dimensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConversionKey {
    pub unit: Unit,
    pub slot: Slot,
    pub provider: Word,
    pub method: Word,
    pub scene: Word,
    pub promotion: Word,
    pub currency: Word,
}

/// Intents (or attempt groups) of one cell and how far they came. Every count is of units, not of attempts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConversionSums {
    pub started: i64,
    /// Reached the provider: any attempt beyond `created`.
    pub submitted: i64,
    /// Reached an approval: any attempt authorized or paid.
    pub authorized: i64,
    pub paid: i64,
    /// Not paid and with an attempt that is not terminal. The rest (started − paid − open) has failed.
    pub open: i64,
    /// Paid by the first attempt.
    pub paid_first_try: i64,
    /// With two attempts or more.
    pub retried: i64,
    /// Paid by the second attempt or later.
    pub retried_paid: i64,
    /// Not paid, terminal, and every attempt's end was the customer's own (cancelled, expired unpaid).
    pub abandoned: i64,
    /// Not paid, terminal, with an attempt that failed technically.
    pub failed_technical: i64,
    pub started_amount: i128,
    pub paid_amount: i128,
    pub open_amount: i128,
}

/// Where a time to pay is counted: by the slot of its creation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LatencyKey {
    pub slot: Slot,
    pub provider: Word,
    pub method: Word,
    /// See [`bucket_of_ms`].
    pub bucket: u16,
}

/// Where a basket line is counted: the cash clock of its transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ItemKey {
    pub slot: Slot,
    pub provider: Word,
    pub method: Word,
    pub scene: Word,
    pub promotion: Word,
    pub category: Word,
    pub sku: Word,
    pub name: Word,
    pub currency: Word,
}

/// Basket lines of posted payments and refunds. Quantities in millionths, amounts in minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ItemSums {
    pub lines: i64,
    pub quantity_micro: i128,
    pub amount: i128,
    pub refund_lines: i64,
    pub refund_quantity_micro: i128,
    /// Unsigned: what went back.
    pub refund_amount: i128,
}

/// Where payments are counted by the hour of the wall clock, in blocks of whole days (see [`super::Level`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProfileKey {
    /// Hour of the wall clock.
    pub hour: u8,
    /// Without scene, cashier and promotion.
    pub money: MoneyKey,
}

/// Every rollup of one owner and one day, each sorted by its key, without empty cells: the form that changes are made
/// in. Kept and read it is a [`super::Packed`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DayBlock {
    pub money: BTreeMap<MoneyKey, MoneySums>,
    pub attempts: BTreeMap<AttemptKey, AttemptSums>,
    pub conversion: BTreeMap<ConversionKey, ConversionSums>,
    pub latency: BTreeMap<LatencyKey, i64>,
    pub items: BTreeMap<ItemKey, ItemSums>,
    /// Only in blocks of whole days, whose other cells know no hour: payments and captured deposits.
    pub profile: BTreeMap<ProfileKey, AttemptSums>,
    /// Who paid in rows that came; only in changes by slot.
    pub payers: Payers,
}

/// Customers who paid, by slot and hash of their reference, on their way into sketches. They are no cells: what went
/// cannot be taken out of a sketch, so they are never compared and make no block that is otherwise empty.
#[derive(Clone, Debug, Default)]
pub struct Payers(pub Vec<(Slot, u64)>);

impl PartialEq for Payers {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Payers {}

impl DayBlock {
    /// Adds a change (which may hold negative sums) and drops the cells that become empty.
    pub fn apply(&mut self, change: &Self) {
        add_cells(&mut self.money, &change.money);
        add_cells(&mut self.attempts, &change.attempts);
        add_cells(&mut self.conversion, &change.conversion);
        add_cells(&mut self.latency, &change.latency);
        add_cells(&mut self.items, &change.items);
        add_cells(&mut self.profile, &change.profile);
        self.payers.0.extend_from_slice(&change.payers.0);
    }

    /// True when nothing is counted.
    pub fn is_empty(&self) -> bool {
        self.money.is_empty()
            && self.attempts.is_empty()
            && self.conversion.is_empty()
            && self.latency.is_empty()
            && self.items.is_empty()
            && self.profile.is_empty()
    }
}

/// A change is merged in one pass over both when the block has at most so many times its cells, else cell by cell.
const MERGED_UP_TO: usize = 8;

/// Adds a change to cells, and drops those that become empty.
pub(super) fn add_cells<K: Copy + Ord, V: Copy + Default + PartialEq + AddAssign>(
    cells: &mut BTreeMap<K, V>,
    change: &BTreeMap<K, V>,
) {
    if change.is_empty() {
        return;
    }
    if cells.len() <= change.len() * MERGED_UP_TO {
        *cells = merged(std::mem::take(cells), change);
        return;
    }
    for (key, sums) in change {
        let cell = cells.entry(*key).or_default();
        *cell += *sums;
        if *cell == V::default() {
            cells.remove(key);
        }
    }
}

/// Both together, in one pass: maps made of sorted cells are made without a search.
fn merged<K: Copy + Ord, V: Copy + Default + PartialEq + AddAssign>(
    cells: BTreeMap<K, V>,
    change: &BTreeMap<K, V>,
) -> BTreeMap<K, V> {
    let mut own = cells.into_iter().peekable();
    let mut more = change.iter().map(|(key, sums)| (*key, *sums)).peekable();
    let next = std::iter::from_fn(|| match (own.peek(), more.peek()) {
        (Some((one, _)), Some((other, _))) => match one.cmp(other) {
            Ordering::Less => own.next(),
            Ordering::Greater => more.next(),
            Ordering::Equal => {
                let ((key, mut sums), (_, added)) = (own.next()?, more.next()?);
                sums += added;
                Some((key, sums))
            }
        },
        (Some(_), None) => own.next(),
        (None, _) => more.next(),
    });
    next.filter(|(_, sums)| *sums != V::default()).collect()
}

/// The cells by their keys, those of one key summed.
pub(super) fn gathered<K: Copy + Ord, V: Copy + AddAssign>(mut cells: Vec<(K, V)>) -> BTreeMap<K, V> {
    sum_neighbours(&mut cells);
    cells.into_iter().collect()
}

/// Sorts the cells and sums those of one key: several times quicker than a map that grows cell by cell.
pub(super) fn sum_neighbours<K: Copy + Ord, V: Copy + AddAssign>(cells: &mut Vec<(K, V)>) {
    cells.sort_by_key(|(key, _)| *key);
    cells.dedup_by(|next, kept| {
        let same = next.0 == kept.0;
        if same {
            kept.1 += next.1;
        }
        same
    });
}

/// Adds field by field. Overflow panics in debug; an `i128` of bounded amounts cannot reach it.
macro_rules! add_fields {
    ($($name:ident { $($field:ident),+ $(,)? })+) => {$(
        impl AddAssign for $name {
            fn add_assign(&mut self, other: Self) { $(self.$field += other.$field;)+ }
        }
    )+};
}

add_fields! {
    MoneySums { count, amount, list, discount_merchant, discount_platform, tax, fee, fee_known_count, fee_known_amount, fee_refunded }
    AttemptSums { count, amount }
    ConversionSums {
        started, submitted, authorized, paid, open, paid_first_try, retried, retried_paid, abandoned,
        failed_technical, started_amount, paid_amount, open_amount,
    }
    ItemSums { lines, quantity_micro, amount, refund_lines, refund_quantity_micro, refund_amount }
}

/// Buckets of a time to pay within one doubling, as a power of two.
const BUCKET_BITS: u32 = 6;

/// The latency bucket of a span: single milliseconds up to 128, then 64 buckets per doubling. The middle of a bucket is
/// within 0.8 % of whatever lies in it.
pub fn bucket_of_ms(ms: i64) -> u16 {
    let ms = u64::try_from(ms.max(1)).unwrap_or(1);
    let doublings = u64::from(ms.ilog2().saturating_sub(BUCKET_BITS));
    u16::try_from((doublings << BUCKET_BITS) + (ms >> doublings)).unwrap_or(u16::MAX)
}

/// The largest number of milliseconds that [`bucket_of_ms`] puts into this bucket.
pub fn bucket_upper_ms(bucket: u16) -> i64 {
    let (first, width) = bucket_span(bucket);
    first.saturating_add(width - 1)
}

/// The middle of a bucket, in milliseconds, rounded down.
pub fn bucket_middle_ms(bucket: u16) -> i64 {
    let (first, width) = bucket_span(bucket);
    first.saturating_add((width - 1) / 2)
}

/// Smallest number of milliseconds in a bucket, and how many there are.
fn bucket_span(bucket: u16) -> (i64, i64) {
    let doublings = u32::from(bucket >> BUCKET_BITS).saturating_sub(1);
    let width = 1_i64.checked_shl(doublings).filter(|width| *width > 0).unwrap_or(i64::MAX);
    let steps = i64::from(bucket) - (i64::from(doublings) << BUCKET_BITS);
    (steps.saturating_mul(width), width)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(count: i64) -> DayBlock {
        let key = MoneyKey {
            slot: Slot(4),
            feed: Feed::Live,
            kind: MoneyKind::Payment,
            account: Word::of("default"),
            provider: Word::of("alipay"),
            method: Word::of("alipay"),
            scene: Word::NONE,
            operator: Word::NONE,
            promotion: Word::NONE,
            currency: Word::of("CNY"),
        };
        let sums = MoneySums { count, amount: i128::from(count) * (1_i128 << 70), ..MoneySums::default() };
        DayBlock { money: BTreeMap::from([(key, sums)]), ..DayBlock::default() }
    }

    #[test]
    fn a_change_and_its_opposite_leave_nothing() {
        let mut cells = block(3);
        cells.apply(&block(-3));
        assert!(cells.is_empty());
    }

    #[test]
    fn buckets_hold_what_is_put_into_them() {
        for ms in
            [1, 2, 3, 7, 8, 63, 64, 100, 127, 128, 129, 999, 1000, 12_345, 600_000, 86_400_000, i64::MAX / 4]
        {
            let bucket = bucket_of_ms(ms);
            assert!(bucket_upper_ms(bucket) >= ms && bucket_upper_ms(bucket - 1) < ms, "{ms} in {bucket}");
            let off = (bucket_middle_ms(bucket) - ms).abs();
            assert!(off <= ms / 128, "{ms}: the middle is {off} off");
        }
    }
}
