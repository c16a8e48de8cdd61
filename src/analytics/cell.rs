//! How each kind of cell becomes columns of numbers, and which of its dimensions a coarser form leaves out.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::AddAssign;

use crate::domain::{FailureClass, Status, StoreId, Word};

use super::column::{Column, ColumnsWriter};
use super::rollup::{
    AttemptKey, AttemptSums, ConversionKey, ConversionSums, DayBlock, Feed, ItemKey, ItemSums, LatencyKey,
    MoneyKey, MoneyKind, MoneySums, ProfileKey, Slot, Unit, sum_neighbours,
};

/// Words by their place in the dictionary of a block, which is sorted.
pub(super) struct Dictionary(HashMap<Word, u64>);

impl Dictionary {
    pub(super) fn of(words: &BTreeSet<Word>) -> Self {
        Self((0..).zip(words).map(|(place, word)| (*word, place)).collect())
    }

    fn place(&self, word: Word) -> u64 {
        self.0.get(&word).copied().unwrap_or_else(|| unreachable!("{word:?} was not gathered"))
    }
}

/// The columns of one section on the way, cell by cell.
pub(super) struct Cursor<'a> {
    pub(super) columns: Vec<Column<'a>>,
    pub(super) words: &'a [Word],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) const fn new(columns: Vec<Column<'a>>, words: &'a [Word]) -> Self {
        Self { columns, words, at: 0 }
    }

    pub(super) const fn begin_cell(&mut self) {
        self.at = 0;
    }

    #[inline]
    fn next<T>(&mut self, read: impl FnOnce(&mut Column<'a>) -> T) -> T {
        let Some(column) = self.columns.get_mut(self.at) else { unreachable!("no column {}", self.at) };
        self.at += 1;
        read(column)
    }

    #[inline]
    pub(super) fn key(&mut self) -> u64 {
        self.next(Column::key)
    }

    #[inline]
    fn code(&mut self) -> usize {
        self.next(Column::index)
    }

    #[inline]
    fn small(&mut self) -> u8 {
        narrow(self.key())
    }

    #[inline]
    fn slot(&mut self) -> Slot {
        Slot(self.small())
    }

    #[inline]
    fn word(&mut self) -> Word {
        *known(self.words, self.code())
    }

    #[inline]
    fn sum(&mut self) -> i128 {
        self.next(Column::sum)
    }

    #[inline]
    fn count(&mut self) -> i64 {
        narrow(self.sum())
    }
}

/// One kind of cell.
pub(super) trait Cell: Copy + Ord + std::fmt::Debug {
    type Sums: Copy + Default + PartialEq + AddAssign + std::fmt::Debug;

    /// The dimensions that are words.
    fn words(&self) -> impl Iterator<Item = Word>;

    fn write(&self, sums: &Self::Sums, words: &Dictionary, columns: &mut ColumnsWriter);

    fn read(cursor: &mut Cursor<'_>) -> (Self, Self::Sums);

    /// This kind's cells of a block.
    fn of(block: &mut DayBlock) -> &mut BTreeMap<Self, Self::Sums>;
}

const FEEDS: [Feed; 2] = [Feed::Live, Feed::Ledger];
const MONEY_KINDS: [MoneyKind; 9] = [
    MoneyKind::Payment,
    MoneyKind::Refund,
    MoneyKind::Dispute,
    MoneyKind::Hold,
    MoneyKind::TopUp,
    MoneyKind::Fee,
    MoneyKind::Payout,
    MoneyKind::Transfer,
    MoneyKind::Adjustment,
];
const UNITS: [Unit; 2] = [Unit::Payment, Unit::AttemptGroup];

/// The code of a value. One that is missing in its list must not be written as another.
fn place<T: PartialEq + std::fmt::Debug>(all: &[T], value: &T) -> u64 {
    let place = all.iter().position(|of| of == value).and_then(|place| u64::try_from(place).ok());
    place.unwrap_or_else(|| unreachable!("{value:?} has no code"))
}

/// The value of a code. The block's hash was checked: a code that has no value is our fault, and no figure is better
/// than one under another name.
#[inline]
fn known<T>(all: &[T], code: usize) -> &T {
    all.get(code).unwrap_or_else(|| unreachable!("code {code} of {}", all.len()))
}

/// A number of a column that was written from a narrower one.
#[inline]
fn narrow<W: Copy + std::fmt::Debug, N: TryFrom<W>>(wide: W) -> N {
    N::try_from(wide).unwrap_or_else(|_| unreachable!("{wide:?} is wider than what was written"))
}

impl MoneyKey {
    fn write_key(&self, words: &Dictionary, columns: &mut ColumnsWriter) {
        columns.key(u64::from(self.slot.0));
        columns.key(place(&FEEDS, &self.feed));
        columns.key(place(&MONEY_KINDS, &self.kind));
        for word in self.words() {
            columns.key(words.place(word));
        }
    }

    #[inline]
    fn read_key(cursor: &mut Cursor<'_>) -> Self {
        Self {
            slot: cursor.slot(),
            feed: *known(&FEEDS, cursor.code()),
            kind: *known(&MONEY_KINDS, cursor.code()),
            account: cursor.word(),
            provider: cursor.word(),
            method: cursor.word(),
            scene: cursor.word(),
            operator: cursor.word(),
            promotion: cursor.word(),
            currency: cursor.word(),
        }
    }
}

impl Cell for MoneyKey {
    type Sums = MoneySums;

    fn words(&self) -> impl Iterator<Item = Word> {
        [self.account, self.provider, self.method, self.scene, self.operator, self.promotion, self.currency]
            .into_iter()
    }

    fn write(&self, sums: &MoneySums, words: &Dictionary, columns: &mut ColumnsWriter) {
        self.write_key(words, columns);
        columns.sum(sums.count.into());
        columns.sum(sums.amount);
        // Mostly alike: written as differences they cost next to nothing.
        columns.sum(sums.list - sums.amount);
        columns.sum(sums.discount_merchant);
        columns.sum(sums.discount_platform);
        columns.sum(sums.tax);
        columns.sum(sums.fee);
        columns.sum(i128::from(sums.fee_known_count) - i128::from(sums.count));
        columns.sum(sums.fee_known_amount - sums.amount);
        columns.sum(sums.fee_refunded);
    }

    #[inline]
    fn read(cursor: &mut Cursor<'_>) -> (Self, MoneySums) {
        let key = Self::read_key(cursor);
        let (count, amount) = (cursor.count(), cursor.sum());
        let sums = MoneySums {
            count,
            amount,
            list: cursor.sum() + amount,
            discount_merchant: cursor.sum(),
            discount_platform: cursor.sum(),
            tax: cursor.sum(),
            fee: cursor.sum(),
            fee_known_count: cursor.count() + count,
            fee_known_amount: cursor.sum() + amount,
            fee_refunded: cursor.sum(),
        };
        (key, sums)
    }

    fn of(block: &mut DayBlock) -> &mut BTreeMap<Self, MoneySums> {
        &mut block.money
    }
}

impl Cell for AttemptKey {
    type Sums = AttemptSums;

    fn words(&self) -> impl Iterator<Item = Word> {
        [self.provider, self.method, self.scene, self.promotion, self.currency, self.failure_code].into_iter()
    }

    fn write(&self, sums: &AttemptSums, words: &Dictionary, columns: &mut ColumnsWriter) {
        columns.key(u64::from(self.slot.0));
        for word in self.words() {
            columns.key(words.place(word));
        }
        columns.key(place(Status::ALL, &self.status));
        columns.key(self.failure_class.map_or(0, |class| place(FailureClass::ALL, &class) + 1));
        columns.sum(sums.count.into());
        columns.sum(sums.amount);
    }

    #[inline]
    fn read(cursor: &mut Cursor<'_>) -> (Self, AttemptSums) {
        let slot = cursor.slot();
        let [provider, method, scene, promotion, currency, failure_code] =
            std::array::from_fn(|_| cursor.word());
        let key = Self {
            slot,
            provider,
            method,
            scene,
            promotion,
            currency,
            status: *known(Status::ALL, cursor.code()),
            failure_code,
            failure_class: cursor.code().checked_sub(1).map(|at| *known(FailureClass::ALL, at)),
        };
        (key, AttemptSums { count: cursor.count(), amount: cursor.sum() })
    }

    fn of(block: &mut DayBlock) -> &mut BTreeMap<Self, AttemptSums> {
        &mut block.attempts
    }
}

impl Cell for ConversionKey {
    type Sums = ConversionSums;

    fn words(&self) -> impl Iterator<Item = Word> {
        [self.provider, self.method, self.scene, self.promotion, self.currency].into_iter()
    }

    fn write(&self, sums: &ConversionSums, words: &Dictionary, columns: &mut ColumnsWriter) {
        columns.key(place(&UNITS, &self.unit));
        columns.key(u64::from(self.slot.0));
        for word in self.words() {
            columns.key(words.place(word));
        }
        columns.sum(sums.started.into());
        columns.sum(i128::from(sums.submitted) - i128::from(sums.started));
        columns.sum(i128::from(sums.authorized) - i128::from(sums.paid));
        columns.sum(i128::from(sums.paid) - i128::from(sums.started));
        columns.sum(sums.open.into());
        columns.sum(i128::from(sums.paid_first_try) - i128::from(sums.paid));
        columns.sum(sums.retried.into());
        columns.sum(sums.retried_paid.into());
        columns.sum(sums.abandoned.into());
        columns.sum(sums.failed_technical.into());
        columns.sum(sums.started_amount);
        columns.sum(sums.paid_amount - sums.started_amount);
        columns.sum(sums.open_amount);
    }

    #[inline]
    fn read(cursor: &mut Cursor<'_>) -> (Self, ConversionSums) {
        let unit = *known(&UNITS, cursor.code());
        let slot = cursor.slot();
        let [provider, method, scene, promotion, currency] = std::array::from_fn(|_| cursor.word());
        let started = cursor.count();
        let submitted = cursor.count() + started;
        let authorized = cursor.count();
        let paid = cursor.count() + started;
        let mut sums =
            ConversionSums { started, submitted, authorized: authorized + paid, paid, ..Default::default() };
        sums.open = cursor.count();
        sums.paid_first_try = cursor.count() + paid;
        sums.retried = cursor.count();
        sums.retried_paid = cursor.count();
        sums.abandoned = cursor.count();
        sums.failed_technical = cursor.count();
        sums.started_amount = cursor.sum();
        sums.paid_amount = cursor.sum() + sums.started_amount;
        sums.open_amount = cursor.sum();
        (Self { unit, slot, provider, method, scene, promotion, currency }, sums)
    }

    fn of(block: &mut DayBlock) -> &mut BTreeMap<Self, ConversionSums> {
        &mut block.conversion
    }
}

impl Cell for LatencyKey {
    type Sums = i64;

    fn words(&self) -> impl Iterator<Item = Word> {
        [self.provider, self.method].into_iter()
    }

    fn write(&self, count: &i64, words: &Dictionary, columns: &mut ColumnsWriter) {
        columns.key(u64::from(self.slot.0));
        for word in self.words() {
            columns.key(words.place(word));
        }
        columns.key(u64::from(self.bucket));
        columns.sum((*count).into());
    }

    #[inline]
    fn read(cursor: &mut Cursor<'_>) -> (Self, i64) {
        let key = Self {
            slot: cursor.slot(),
            provider: cursor.word(),
            method: cursor.word(),
            bucket: narrow(cursor.key()),
        };
        (key, cursor.count())
    }

    fn of(block: &mut DayBlock) -> &mut BTreeMap<Self, i64> {
        &mut block.latency
    }
}

impl Cell for ItemKey {
    type Sums = ItemSums;

    fn words(&self) -> impl Iterator<Item = Word> {
        let (how, what) = (
            [self.provider, self.method, self.scene, self.promotion],
            [self.category, self.sku, self.name, self.currency],
        );
        how.into_iter().chain(what)
    }

    fn write(&self, sums: &ItemSums, words: &Dictionary, columns: &mut ColumnsWriter) {
        columns.key(u64::from(self.slot.0));
        for word in self.words() {
            columns.key(words.place(word));
        }
        columns.sum(sums.lines.into());
        columns.sum(sums.quantity_micro);
        columns.sum(sums.amount);
        columns.sum(sums.refund_lines.into());
        columns.sum(sums.refund_quantity_micro);
        columns.sum(sums.refund_amount);
    }

    #[inline]
    fn read(cursor: &mut Cursor<'_>) -> (Self, ItemSums) {
        let slot = cursor.slot();
        let [provider, method, scene, promotion] = std::array::from_fn(|_| cursor.word());
        let [category, sku, name, currency] = std::array::from_fn(|_| cursor.word());
        let sums = ItemSums {
            lines: cursor.count(),
            quantity_micro: cursor.sum(),
            amount: cursor.sum(),
            refund_lines: cursor.count(),
            refund_quantity_micro: cursor.sum(),
            refund_amount: cursor.sum(),
        };
        (Self { slot, provider, method, scene, promotion, category, sku, name, currency }, sums)
    }

    fn of(block: &mut DayBlock) -> &mut BTreeMap<Self, ItemSums> {
        &mut block.items
    }
}

impl Cell for ProfileKey {
    type Sums = AttemptSums;

    fn words(&self) -> impl Iterator<Item = Word> {
        self.money.words()
    }

    fn write(&self, sums: &AttemptSums, words: &Dictionary, columns: &mut ColumnsWriter) {
        columns.key(u64::from(self.hour));
        self.money.write_key(words, columns);
        columns.sum(sums.count.into());
        columns.sum(sums.amount);
    }

    #[inline]
    fn read(cursor: &mut Cursor<'_>) -> (Self, AttemptSums) {
        let key = Self { hour: cursor.small(), money: MoneyKey::read_key(cursor) };
        (key, AttemptSums { count: cursor.count(), amount: cursor.sum() })
    }

    fn of(block: &mut DayBlock) -> &mut BTreeMap<Self, AttemptSums> {
        &mut block.profile
    }
}

/// Cells of one kind by owner: the store in blocks that tell stores apart, else store 0.
pub(super) type Owned<C> = Vec<(StoreId, C, <C as Cell>::Sums)>;

/// The cells summed over what `coarse` leaves out, sorted.
pub(super) fn summed<C: Cell>(cells: &Owned<C>, coarse: impl Fn(&C) -> C) -> Owned<C> {
    let mut sums: Vec<_> = cells.iter().map(|(store, key, value)| ((*store, coarse(key)), *value)).collect();
    sum_neighbours(&mut sums);
    sums.into_iter().map(|((store, key), value)| (store, key, value)).collect()
}

/// Money without scene, cashier and promotion: what most reports ask for.
pub(super) const fn coarse_money(key: &MoneyKey) -> MoneyKey {
    MoneyKey { scene: Word::NONE, operator: Word::NONE, promotion: Word::NONE, ..*key }
}

/// Attempts without scene and promotion.
pub(super) const fn coarse_attempt(key: &AttemptKey) -> AttemptKey {
    AttemptKey { scene: Word::NONE, promotion: Word::NONE, ..*key }
}

/// Conversion without scene and promotion.
pub(super) const fn coarse_conversion(key: &ConversionKey) -> ConversionKey {
    ConversionKey { scene: Word::NONE, promotion: Word::NONE, ..*key }
}

/// Basket lines without product.
pub(super) const fn coarse_item(key: &ItemKey) -> ItemKey {
    ItemKey { sku: Word::NONE, name: Word::NONE, ..*key }
}

/// Basket lines by category, method and currency.
pub(super) const fn category_item(key: &ItemKey) -> ItemKey {
    ItemKey { provider: Word::NONE, scene: Word::NONE, promotion: Word::NONE, ..coarse_item(key) }
}

/// Basket lines by product, method and currency.
pub(super) const fn product_item(key: &ItemKey) -> ItemKey {
    ItemKey { provider: Word::NONE, scene: Word::NONE, promotion: Word::NONE, ..*key }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All values in a row; `next` knows every value, so that a new one does not compile without a place here.
    fn chain<T: Copy>(first: T, next: impl Fn(T) -> Option<T>) -> Vec<T> {
        std::iter::successors(Some(first), |value| next(*value)).collect()
    }

    #[test]
    fn every_value_that_is_written_as_a_code_has_one() {
        let kinds = chain(MoneyKind::Payment, |kind| match kind {
            MoneyKind::Payment => Some(MoneyKind::Refund),
            MoneyKind::Refund => Some(MoneyKind::Dispute),
            MoneyKind::Dispute => Some(MoneyKind::Hold),
            MoneyKind::Hold => Some(MoneyKind::TopUp),
            MoneyKind::TopUp => Some(MoneyKind::Fee),
            MoneyKind::Fee => Some(MoneyKind::Payout),
            MoneyKind::Payout => Some(MoneyKind::Transfer),
            MoneyKind::Transfer => Some(MoneyKind::Adjustment),
            MoneyKind::Adjustment => None,
        });
        assert_eq!(kinds, MONEY_KINDS);
        let feeds = chain(Feed::Live, |feed| match feed {
            Feed::Live => Some(Feed::Ledger),
            Feed::Ledger => None,
        });
        assert_eq!(feeds, FEEDS);
        let units = chain(Unit::Payment, |unit| match unit {
            Unit::Payment => Some(Unit::AttemptGroup),
            Unit::AttemptGroup => None,
        });
        assert_eq!(units, UNITS);
    }
}
