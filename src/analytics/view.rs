use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{NaiveDate, TimeDelta};

use crate::domain::{Instant, Range, StoreId, Word};

use super::{DayBlock, Snapshot};

/// The rollups a report reads: blocks of the asked stores and days, from the snapshot or made from rows by a scan.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// By store and group, then by UTC day. The group is the value of the attribute asked for (a scan
    /// divides by it); [`Word::NONE`] for everything that comes from rollups.
    pub blocks: BTreeMap<(StoreId, Word), BTreeMap<NaiveDate, Arc<DayBlock>>>,
    /// The first UTC day with anything counted, by store: before it nothing is known, and nothing is not 0.
    pub first_day: BTreeMap<StoreId, NaiveDate>,
}

impl View {
    /// The blocks of these spans out of a snapshot. Cheap: blocks are shared, not copied.
    pub fn of(snapshot: &Snapshot, spans: &[(StoreId, Range)]) -> Self {
        let mut view = Self::default();
        for (store, range) in spans {
            let Some(days) = snapshot.rollups.get(store) else { continue };
            let (first, last) = utc_days(*range);
            let kept = view.blocks.entry((*store, Word::NONE)).or_default();
            for (day, block) in days.range(first..=last) {
                kept.insert(*day, Arc::clone(block));
            }
            if let Some((first, _)) = snapshot.days_with_data(*store) {
                view.first_day.insert(*store, first);
            }
        }
        view
    }

    /// Puts one block in, for scans and tests; `first_day` follows.
    pub fn insert(&mut self, store: StoreId, group: Word, day: NaiveDate, block: DayBlock) {
        self.blocks.entry((store, group)).or_default().insert(day, Arc::new(block));
        let first = self.first_day.entry(store).or_insert(day);
        *first = (*first).min(day);
    }

    /// True when the store had records at or before this instant.
    pub fn knows(&self, store: StoreId, at: Instant) -> bool {
        self.first_day.get(&store).is_some_and(|first| *first <= at.date_naive())
    }
}

/// The first and last UTC day a span touches.
fn utc_days(range: Range) -> (NaiveDate, NaiveDate) {
    let first = range.from.date_naive();
    // `until` is outside: a span ending at midnight does not touch the next day.
    let last = (range.until - TimeDelta::nanoseconds(1)).date_naive();
    (first, last.max(first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_holds_the_days_asked_for_and_knows_where_data_begin() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let blocks: BTreeMap<_, _> = ["2026-11-01", "2026-11-02", "2026-11-03"]
            .map(|text| (day(text), Arc::new(DayBlock::default())))
            .into();
        let mut snapshot = Snapshot::default();
        snapshot.rollups.insert(StoreId(1), Arc::new(blocks));
        let range = Range {
            from: "2026-11-01T16:00:00Z".parse().unwrap(),
            until: "2026-11-03T00:00:00Z".parse().unwrap(),
        };
        let view = View::of(&snapshot, &[(StoreId(1), range), (StoreId(2), range)]);
        let kept: Vec<_> = view.blocks[&(StoreId(1), Word::NONE)].keys().copied().collect();
        assert_eq!(kept, [day("2026-11-01"), day("2026-11-02")]);
        assert!(view.knows(StoreId(1), "2026-11-01T00:00:00Z".parse().unwrap()));
        assert!(!view.knows(StoreId(1), "2026-10-31T23:00:00Z".parse().unwrap()));
        assert!(!view.knows(StoreId(2), range.from));
    }
}
