use std::collections::BTreeMap;
use std::ops::AddAssign;
use std::sync::OnceLock;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::domain::{FailureClass, Grain, Instant, Status, Word};

/// A quarter hour of a UTC day, 0 to 95. Stores whose days begin on whole hours use every fourth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Feed {
    /// The store's own records (`transactions`).
    Live,
    /// Bills and statements (`ledger_lines`).
    Ledger,
}

/// What moved, in a money cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct MoneyKey {
    pub slot: Slot,
    pub feed: Feed,
    pub kind: MoneyKind,
    pub account: Word,
    pub provider: Word,
    pub method: Word,
    pub scene: Word,
    pub operator: Word,
    pub currency: Word,
}

/// Sums over posted movements. Amounts in minor units of the cell's currency, unsigned; the kind gives the direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AttemptKey {
    pub slot: Slot,
    pub provider: Word,
    pub method: Word,
    pub scene: Word,
    pub currency: Word,
    pub status: Status,
    /// The provider's code; empty unless failed.
    pub failure_code: Word,
    pub failure_class: Option<FailureClass>,
}

/// Attempts of one cell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptSums {
    pub count: i64,
    pub amount: i128,
}

/// What a conversion cell counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Unit {
    /// A payment intent: every attempt with one `payment_id` (else `order_id`) within 24 hours of its first.
    Payment,
    /// An attempt group: attempts of one intent with the same method and amount, at most 30 minutes apart, up to the
    /// first success.
    AttemptGroup,
}

/// Where an intent or attempt group is counted: when its first attempt was created, by that attempt's dimensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ConversionKey {
    pub unit: Unit,
    pub slot: Slot,
    pub provider: Word,
    pub method: Word,
    pub scene: Word,
    pub currency: Word,
}

/// Intents (or attempt groups) of one cell and how far they came. Every count is of units, not of attempts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LatencyKey {
    pub slot: Slot,
    pub provider: Word,
    pub method: Word,
    /// See [`bucket_of_ms`].
    pub bucket: u8,
}

/// Where a basket line is counted: the cash clock of its transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ItemKey {
    pub slot: Slot,
    pub method: Word,
    pub category: Word,
    pub sku: Word,
    pub name: Word,
    pub currency: Word,
}

/// Basket lines of posted payments and refunds. Quantities in millionths, amounts in minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemSums {
    pub lines: i64,
    pub quantity_micro: i128,
    pub amount: i128,
    pub refund_lines: i64,
    pub refund_quantity_micro: i128,
    /// Unsigned: what went back.
    pub refund_amount: i128,
}

/// Every rollup of one store and one UTC day, each sorted by its key, without empty cells.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayBlock {
    pub money: BTreeMap<MoneyKey, MoneySums>,
    pub attempts: BTreeMap<AttemptKey, AttemptSums>,
    pub conversion: BTreeMap<ConversionKey, ConversionSums>,
    pub latency: BTreeMap<LatencyKey, i64>,
    pub items: BTreeMap<ItemKey, ItemSums>,
    /// See [`DayBlock::coarse_money`] and its neighbours.
    #[serde(skip)]
    pub coarse: Coarse,
}

/// Cells with less in their keys, made when first asked for. Never compared, copied or stored.
#[derive(Debug, Default)]
pub struct Coarse {
    money: OnceLock<Vec<(MoneyKey, MoneySums)>>,
    conversion: OnceLock<Vec<(ConversionKey, ConversionSums)>>,
    items: OnceLock<Vec<(ItemKey, ItemSums)>>,
}

impl Clone for Coarse {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for Coarse {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Coarse {}

/// A stored block that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RollupError {
    /// Written by a newer version of the program.
    #[error("rollup block has format {0}, this program reads format {FORMAT}")]
    Format(u8),
    /// The bytes are not what was written.
    #[error("rollup block is damaged: {0}")]
    Damaged(#[from] postcard::Error),
}

/// Version of the encoding of [`DayBlock`]; a change needs a rebuild or a reader for the old one.
const FORMAT: u8 = 1;

impl DayBlock {
    /// The block as bytes, with its format in front.
    ///
    /// # Errors
    /// [`RollupError::Damaged`] never happens in practice: all parts have a form.
    pub fn encode(&self) -> Result<Vec<u8>, RollupError> {
        Ok(postcard::to_extend(self, vec![FORMAT])?)
    }

    /// Reads what [`DayBlock::encode`] wrote.
    ///
    /// # Errors
    /// [`RollupError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, RollupError> {
        match bytes.split_first() {
            Some((&FORMAT, rest)) => Ok(postcard::from_bytes(rest)?),
            Some((&other, _)) => Err(RollupError::Format(other)),
            None => Err(RollupError::Damaged(postcard::Error::DeserializeUnexpectedEnd)),
        }
    }

    /// The money cells summed over scenes and cashiers, sorted: what most reports ask for, several times fewer.
    /// Only for finished blocks: later changes go through [`DayBlock::apply`].
    pub fn coarse_money(&self) -> &[(MoneyKey, MoneySums)] {
        let coarse = |key: &MoneyKey| MoneyKey { scene: Word::NONE, operator: Word::NONE, ..*key };
        self.coarse.money.get_or_init(|| summed(&self.money, coarse))
    }

    /// The conversion cells summed over scenes; as [`DayBlock::coarse_money`].
    pub fn coarse_conversion(&self) -> &[(ConversionKey, ConversionSums)] {
        let coarse = |key: &ConversionKey| ConversionKey { scene: Word::NONE, ..*key };
        self.coarse.conversion.get_or_init(|| summed(&self.conversion, coarse))
    }

    /// The basket lines summed over products; as [`DayBlock::coarse_money`].
    pub fn coarse_items(&self) -> &[(ItemKey, ItemSums)] {
        let coarse = |key: &ItemKey| ItemKey { sku: Word::NONE, name: Word::NONE, ..*key };
        self.coarse.items.get_or_init(|| summed(&self.items, coarse))
    }

    /// Adds a change (which may hold negative sums) and drops the cells that become empty.
    pub fn apply(&mut self, change: &Self) {
        self.coarse = Coarse::default();
        add_cells(&mut self.money, &change.money);
        add_cells(&mut self.attempts, &change.attempts);
        add_cells(&mut self.conversion, &change.conversion);
        add_cells(&mut self.latency, &change.latency);
        add_cells(&mut self.items, &change.items);
    }

    /// True when nothing is counted.
    pub fn is_empty(&self) -> bool {
        self.money.is_empty()
            && self.attempts.is_empty()
            && self.conversion.is_empty()
            && self.latency.is_empty()
            && self.items.is_empty()
    }
}

fn summed<K: Copy + Ord, V: Copy + Default + AddAssign>(
    cells: &BTreeMap<K, V>,
    coarse: impl Fn(&K) -> K,
) -> Vec<(K, V)> {
    let mut sums: BTreeMap<K, V> = BTreeMap::new();
    for (key, value) in cells {
        *sums.entry(coarse(key)).or_default() += *value;
    }
    sums.into_iter().collect()
}

fn add_cells<K: Copy + Ord, V: Copy + Default + PartialEq + AddAssign>(
    cells: &mut BTreeMap<K, V>,
    change: &BTreeMap<K, V>,
) {
    for (key, sums) in change {
        let cell = cells.entry(*key).or_default();
        *cell += *sums;
        if *cell == V::default() {
            cells.remove(key);
        }
    }
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

/// The latency bucket of a span: 8 buckets per doubling above 1 ms, so a percentile is right within 9 %.
pub fn bucket_of_ms(ms: i64) -> u8 {
    let ms = u64::try_from(ms.max(1)).unwrap_or(1);
    let doublings = u64::from(ms.ilog2());
    // The eighths of this doubling, linear inside it.
    let eighth = if doublings == 0 { 0 } else { ((ms - (1 << doublings)) * 8) >> doublings };
    u8::try_from(doublings * 8 + eighth).unwrap_or(u8::MAX)
}

/// The upper end, in milliseconds, of what [`bucket_of_ms`] puts into this bucket.
pub fn bucket_upper_ms(bucket: u8) -> i64 {
    let doublings = u32::from(bucket / 8);
    let base = 1_i64.checked_shl(doublings).unwrap_or(i64::MAX);
    let eighths = i64::from(bucket % 8) + 1;
    // Below 8 ms an eighth is no whole millisecond: rounded up.
    let part = (base / 8).saturating_mul(eighths) + ((base % 8) * eighths + 7) / 8;
    base.saturating_add(part)
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
    fn coarse_cells_follow_a_change() {
        let mut cells = block(1);
        let mut other = block(2);
        let (key, sums) = other.money.pop_first().unwrap();
        other.money.insert(MoneyKey { operator: Word::of("lin"), ..key }, sums);
        cells.apply(&other);
        let counts =
            |block: &DayBlock| block.coarse_money().iter().map(|(_, sums)| sums.count).collect::<Vec<_>>();
        assert_eq!((cells.money.len(), counts(&cells)), (2, vec![3]));
        cells.apply(&block(4));
        assert_eq!(counts(&cells), [7]);
    }

    #[test]
    fn blocks_read_back() {
        let written = block(7);
        let bytes = written.encode().unwrap();
        assert_eq!(DayBlock::decode(&bytes).unwrap(), written);
        assert!(matches!(DayBlock::decode(&[9, 0]), Err(RollupError::Format(9))));
        assert!(DayBlock::decode(&bytes[..bytes.len() - 1]).is_err());
        assert!(DayBlock::decode(&[]).is_err());
    }

    #[test]
    fn buckets_hold_what_is_put_into_them() {
        for ms in [1, 2, 3, 7, 8, 100, 999, 1000, 12_345, 600_000, 86_400_000] {
            let bucket = bucket_of_ms(ms);
            assert!(bucket_upper_ms(bucket) >= ms, "{ms} in {bucket}");
            assert!(
                ms < 8 || bucket_upper_ms(bucket) <= ms + ms / 7 + 1,
                "{ms}: {}",
                bucket_upper_ms(bucket)
            );
            assert!(bucket == 0 || bucket_upper_ms(bucket - 1) <= ms.max(16), "{ms}");
        }
    }
}
