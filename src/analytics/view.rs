use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{NaiveDate, TimeDelta};

use crate::domain::{Instant, Range, StoreId, Word};

use super::packed::{Detail, ItemDetail, Packed};
use super::summed::Summed;
use super::{
    AttemptKey, AttemptSums, ConversionKey, ConversionSums, DayBlock, ItemKey, ItemSums, LatencyKey,
    MoneyKey, MoneySums, ProfileKey, Slot,
};

/// The rollups a report reads, from the snapshot or made from rows by a scan: pieces that never overlap in what they
/// tell.
#[derive(Clone, Debug, Default)]
pub struct View {
    pub pieces: Vec<Piece>,
    /// The first UTC day with anything counted, by store: before it nothing is known, and nothing is not 0.
    pub first_day: BTreeMap<StoreId, NaiveDate>,
    /// True when it is known that no bill is in it: sales and fees are the stores' own records.
    pub only_live: bool,
    /// True when whole days are in it whose payments by hour are not told for this query.
    pub hours_unknown: bool,
}

/// One block, with the part of it that counts.
#[derive(Clone, Debug)]
pub struct Piece {
    /// Whose; of several stores together the first that is asked for.
    pub store: StoreId,
    /// The value of the attribute asked for (a scan divides by it); [`Word::NONE`] for everything that comes from
    /// rollups.
    pub group: Word,
    /// UTC day of slots, business day of a whole day, the last of several.
    pub day: NaiveDate,
    pub time: PieceTime,
    /// The period or the earlier one; `None` is both.
    pub side: Option<Side>,
    pub parts: Parts,
    pub cells: Cells,
}

/// How a piece divides time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PieceTime {
    /// By slots of a UTC day; those that begin outside of the span are told by another piece.
    Slots(Range),
    /// Not at all: business days, from when to when.
    Whole(Range),
}

/// Which of two compared periods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Now,
    Before,
}

/// Which kinds of cells may be taken from a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "one for each kind of cell")]
pub struct Parts {
    pub money: bool,
    pub attempts: bool,
    pub conversion: bool,
    /// Conversion by scene, which blocks that tell stores apart do not hold.
    pub scenes: bool,
    pub items: bool,
    /// Basket lines by store, where a report divides by stores.
    pub items_by_store: bool,
    /// Basket lines by product.
    pub products: bool,
    pub latency: bool,
    /// Payments by hour of the week.
    pub profile: bool,
}

impl Parts {
    pub const NONE: Self = Self {
        money: false,
        attempts: false,
        conversion: false,
        scenes: false,
        items: false,
        items_by_store: false,
        products: false,
        latency: false,
        profile: false,
    };
    pub const ALL: Self = Self {
        money: true,
        attempts: true,
        conversion: true,
        scenes: true,
        items: true,
        items_by_store: true,
        products: true,
        latency: true,
        profile: true,
    };
    /// Everything but times to pay.
    pub const FIGURES: Self = Self { latency: false, ..Self::ALL };
    /// Times to pay.
    pub const AGES: Self = Self { latency: true, ..Self::NONE };
}

/// The cells of a piece.
#[derive(Clone, Debug)]
pub enum Cells {
    /// Of the snapshot.
    Packed(Arc<Packed>),
    /// Of several whole days of the snapshot.
    Summed(Arc<Summed>),
    /// Made from rows.
    Made(Arc<DayBlock>),
}

/// Hands every cell on; `store` is 0 unless the block tells stores apart.
macro_rules! hand_on {
    ($made:expr, $take:ident) => {
        $made.iter().for_each(|(key, sums)| $take(StoreId(0), key, sums))
    };
}

impl Cells {
    /// Every money cell.
    pub fn money(&self, detail: Detail, mut take: impl FnMut(StoreId, &MoneyKey, &MoneySums)) {
        match self {
            Self::Packed(block) => block.money(detail, take),
            Self::Summed(sum) => sum.money(detail, take),
            Self::Made(block) => hand_on!(block.money, take),
        }
    }

    /// Every attempt cell.
    pub fn attempts(&self, detail: Detail, mut take: impl FnMut(StoreId, &AttemptKey, &AttemptSums)) {
        match self {
            Self::Packed(block) => block.attempts(detail, take),
            Self::Summed(sum) => sum.attempts(detail, take),
            Self::Made(block) => hand_on!(block.attempts, take),
        }
    }

    /// Every conversion cell.
    pub fn conversion(&self, detail: Detail, mut take: impl FnMut(StoreId, &ConversionKey, &ConversionSums)) {
        match self {
            Self::Packed(block) => block.conversion(detail, take),
            Self::Summed(sum) => sum.conversion(detail, take),
            Self::Made(block) => hand_on!(block.conversion, take),
        }
    }

    /// Every basket cell.
    pub fn items(&self, detail: ItemDetail, mut take: impl FnMut(StoreId, &ItemKey, &ItemSums)) {
        match self {
            Self::Packed(block) => block.items(detail, take),
            Self::Summed(sum) => sum.items(detail, take),
            Self::Made(block) => hand_on!(block.items, take),
        }
    }

    /// Every time to pay.
    pub fn latency(&self, mut take: impl FnMut(StoreId, &LatencyKey, &i64)) {
        match self {
            Self::Packed(block) => block.latency(take),
            Self::Summed(sum) => sum.latency(take),
            Self::Made(block) => hand_on!(block.latency, take),
        }
    }

    /// Every payment by hour of the wall clock, only of whole days; `day` is the piece's, and handed on is one of the
    /// same weekday as the payments.
    pub fn profile(
        &self,
        day: NaiveDate,
        mut take: impl FnMut(NaiveDate, StoreId, &ProfileKey, &AttemptSums),
    ) {
        match self {
            Self::Packed(block) => block.profile(|store, key, sums| take(day, store, key, sums)),
            Self::Summed(sum) => sum.profile(take),
            Self::Made(block) => {
                block.profile.iter().for_each(|(key, sums)| take(day, StoreId(0), key, sums));
            }
        }
    }
}

impl Piece {
    /// A block made from rows: everything in it counts.
    pub fn made(store: StoreId, group: Word, day: NaiveDate, block: Arc<DayBlock>) -> Self {
        let begin = day.and_time(chrono::NaiveTime::MIN).and_utc();
        let time = PieceTime::Slots(Range { from: begin, until: begin + TimeDelta::days(1) });
        Self { store, group, day, time, side: None, parts: Parts::ALL, cells: Cells::Made(block) }
    }

    /// True when a slot of this piece is its own to tell.
    pub fn tells(&self, slot: Slot) -> bool {
        match self.time {
            PieceTime::Slots(span) => span.contains(slot.starts_at(self.day)),
            PieceTime::Whole(_) => true,
        }
    }
}

impl View {
    /// Puts one block in, for scans and tests; `first_day` follows.
    pub fn insert(&mut self, store: StoreId, group: Word, day: NaiveDate, block: DayBlock) {
        self.pieces.push(Piece::made(store, group, day, Arc::new(block)));
        let first = self.first_day.entry(store).or_insert(day);
        *first = (*first).min(day);
    }

    /// True when the store had records at or before this instant.
    pub fn knows(&self, store: StoreId, at: Instant) -> bool {
        self.first_day.get(&store).is_some_and(|first| *first <= at.date_naive())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_knows_where_data_begin() {
        let mut view = View::default();
        view.insert(StoreId(1), Word::NONE, "2026-11-02".parse().unwrap(), DayBlock::default());
        view.insert(StoreId(1), Word::NONE, "2026-11-01".parse().unwrap(), DayBlock::default());
        assert!(view.knows(StoreId(1), "2026-11-01T00:00:00Z".parse().unwrap()));
        assert!(!view.knows(StoreId(1), "2026-10-31T23:00:00Z".parse().unwrap()));
        assert!(!view.knows(StoreId(2), "2026-11-01T00:00:00Z".parse().unwrap()));
        assert!(view.pieces[0].tells(Slot(95)));
    }
}
