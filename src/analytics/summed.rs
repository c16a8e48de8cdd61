//! Whole days summed up: a long period is told by its weeks, made once and kept as plain cells.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use chrono::{Datelike, NaiveDate};

use crate::domain::StoreId;

use super::blocks::Wanted;
use super::cell::{
    Cell, Owned, category_item, coarse_attempt, coarse_conversion, coarse_item, coarse_money, product_item,
    summed,
};
use super::packed::{Detail, ItemDetail, Packed};
use super::rollup::{
    AttemptKey, AttemptSums, ConversionKey, ConversionSums, ItemKey, ItemSums, LatencyKey, MoneyKey,
    MoneySums, ProfileKey,
};
use super::sketch::Sketch;
use super::snapshot::Snapshot;

/// Memory of the sums that are kept.
pub const SUMS_BYTES_MAX: usize = 256 << 20;

/// The sum of some whole days of one owner. Each kind of cell is summed when it is first asked for.
#[derive(Debug)]
pub struct Summed {
    days: Vec<(NaiveDate, Arc<Packed>)>,
    money: [Lazy<MoneyKey>; 2],
    attempts: [Lazy<AttemptKey>; 2],
    conversion: [Lazy<ConversionKey>; 2],
    items: [Lazy<ItemKey>; 4],
    latency: Lazy<LatencyKey>,
    /// By weekday, each with one of its days.
    profile: OnceLock<Vec<(NaiveDate, Owned<ProfileKey>)>>,
    sketch: OnceLock<Sketch>,
}

/// The cells of one kind, once somebody asked.
#[derive(Debug)]
struct Lazy<C: Cell>(OnceLock<Owned<C>>);

impl<C: Cell> Default for Lazy<C> {
    fn default() -> Self {
        Self(OnceLock::new())
    }
}

/// Hands the cells of one block on.
type Cells<'a, C> = &'a mut dyn FnMut(StoreId, &C, &<C as Cell>::Sums);

impl<C: Cell> Lazy<C> {
    fn each(
        &self,
        days: &[(NaiveDate, Arc<Packed>)],
        read: impl Fn(&Packed, Cells<'_, C>),
        coarse: impl Fn(&C) -> C,
        mut take: impl FnMut(StoreId, &C, &C::Sums),
    ) {
        let cells = self.0.get_or_init(|| sum_of(days.iter().map(|(_, block)| block), read, coarse));
        for (store, key, sums) in cells {
            take(*store, key, sums);
        }
    }

    fn weight(&self) -> usize {
        self.0.get().map_or(0, |cells| cells.capacity() * size_of::<(StoreId, C, C::Sums)>())
    }
}

fn sum_of<'a, C: Cell>(
    blocks: impl Iterator<Item = &'a Arc<Packed>>,
    read: impl Fn(&Packed, Cells<'_, C>),
    coarse: impl Fn(&C) -> C,
) -> Owned<C> {
    let mut cells: Owned<C> = Vec::new();
    for block in blocks {
        read(block, &mut |store, key, sums| cells.push((store, coarse(key), *sums)));
    }
    summed(&cells, |key| *key)
}

const fn place(detail: Detail) -> usize {
    match detail {
        Detail::Full => 0,
        Detail::Coarse => 1,
    }
}

impl Summed {
    /// Of these days, oldest first.
    pub fn of(days: Vec<(NaiveDate, Arc<Packed>)>) -> Self {
        Self {
            days,
            money: Default::default(),
            attempts: Default::default(),
            conversion: Default::default(),
            items: Default::default(),
            latency: Lazy::default(),
            profile: OnceLock::new(),
            sketch: OnceLock::new(),
        }
    }

    /// Every money cell, with its store where the blocks tell stores apart.
    pub fn money(&self, detail: Detail, take: impl FnMut(StoreId, &MoneyKey, &MoneySums)) {
        let coarse = |key: &MoneyKey| if detail == Detail::Coarse { coarse_money(key) } else { *key };
        self.money[place(detail)].each(&self.days, |block, give| block.money(detail, give), coarse, take);
    }

    /// Every attempt cell.
    pub fn attempts(&self, detail: Detail, take: impl FnMut(StoreId, &AttemptKey, &AttemptSums)) {
        let coarse = |key: &AttemptKey| if detail == Detail::Coarse { coarse_attempt(key) } else { *key };
        self.attempts[place(detail)].each(
            &self.days,
            |block, give| block.attempts(detail, give),
            coarse,
            take,
        );
    }

    /// Every conversion cell.
    pub fn conversion(&self, detail: Detail, take: impl FnMut(StoreId, &ConversionKey, &ConversionSums)) {
        let coarse =
            |key: &ConversionKey| if detail == Detail::Coarse { coarse_conversion(key) } else { *key };
        let read = |block: &Packed, give: Cells<'_, ConversionKey>| block.conversion(detail, give);
        self.conversion[place(detail)].each(&self.days, read, coarse, take);
    }

    /// Every basket cell.
    pub fn items(&self, detail: ItemDetail, take: impl FnMut(StoreId, &ItemKey, &ItemSums)) {
        let (place, coarse): (usize, fn(&ItemKey) -> ItemKey) = match detail {
            ItemDetail::Full => (0, |key| *key),
            ItemDetail::Filters => (1, coarse_item),
            ItemDetail::Category => (2, category_item),
            ItemDetail::Product => (3, product_item),
        };
        self.items[place].each(&self.days, |block, give| block.items(detail, give), coarse, take);
    }

    /// Every time to pay.
    pub fn latency(&self, take: impl FnMut(StoreId, &LatencyKey, &i64)) {
        self.latency.each(&self.days, |block, give| block.latency(give), |key| *key, take);
    }

    /// Every payment by the hour of the wall clock, with a day of the same weekday.
    pub fn profile(&self, mut take: impl FnMut(NaiveDate, StoreId, &ProfileKey, &AttemptSums)) {
        let by_weekday = self.profile.get_or_init(|| {
            let mut weekdays: BTreeMap<u32, Vec<&(NaiveDate, Arc<Packed>)>> = BTreeMap::new();
            for day in &self.days {
                weekdays.entry(day.0.weekday().num_days_from_monday()).or_default().push(day);
            }
            let read = |block: &Packed, give: Cells<'_, ProfileKey>| block.profile(give);
            let sum = |days: Vec<&(NaiveDate, Arc<Packed>)>| {
                let first = days.first()?.0;
                Some((first, sum_of(days.into_iter().map(|(_, block)| block), read, |key| *key)))
            };
            weekdays.into_values().filter_map(sum).collect()
        });
        for (day, cells) in by_weekday {
            for (store, key, sums) in cells {
                take(*day, *store, key, sums);
            }
        }
    }

    /// Who paid on any of the days.
    pub fn sketch(&self) -> &Sketch {
        self.sketch.get_or_init(|| {
            let mut sketch = Sketch::default();
            self.days.iter().for_each(|(_, block)| block.join_into(&mut sketch));
            sketch
        })
    }

    /// Memory it takes, about; its blocks are counted although the cache of blocks may share them.
    fn weight(&self) -> usize {
        let blocks: usize = self.days.iter().map(|(_, block)| block.weight()).sum();
        let both = |weights: [usize; 2]| weights[0] + weights[1];
        let profile = self.profile.get().map_or(0, |days| {
            let cells: usize = days.iter().map(|(_, cells)| cells.capacity()).sum();
            cells * size_of::<(StoreId, ProfileKey, AttemptSums)>()
        });
        blocks
            + both(self.money.each_ref().map(Lazy::weight))
            + both(self.attempts.each_ref().map(Lazy::weight))
            + both(self.conversion.each_ref().map(Lazy::weight))
            + self.items.iter().map(Lazy::weight).sum::<usize>()
            + self.latency.weight()
            + profile
            + self.sketch.get().map_or(0, Sketch::registers)
    }
}

/// Sums that were asked for lately. Bounded in bytes, the longest unused go first.
#[derive(Debug, Default)]
pub struct SumCache(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    /// With the versions of the days, and when it was used.
    sums: HashMap<Wanted, (Vec<i64>, Arc<Summed>, u64)>,
    clock: u64,
}

impl SumCache {
    fn held(&self) -> std::sync::MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.held().sums.values().map(|(_, sum, _)| sum.weight()).sum()
    }
}

impl Snapshot {
    fn versions(&self, span: Wanted) -> Vec<i64> {
        let days = self.rollups.days(span.level, span.owner);
        days.map(|days| days.range(span.first..=span.last).map(|(_, version)| *version).collect())
            .unwrap_or_default()
    }

    /// The sum of a span, when it is kept and none of its days changed.
    pub fn sum(&self, span: Wanted) -> Option<Arc<Summed>> {
        let versions = self.versions(span);
        let mut held = self.sums.held();
        held.clock += 1;
        let now = held.clock;
        let (known, sum, used) = held.sums.get_mut(&span)?;
        if *known != versions {
            return None;
        }
        *used = now;
        Some(Arc::clone(sum))
    }

    /// Keeps the sum of a span.
    pub fn keep_sum(&self, span: Wanted, sum: Arc<Summed>) {
        let versions = self.versions(span);
        let mut held = self.sums.held();
        held.clock += 1;
        let now = held.clock;
        held.sums.insert(span, (versions, sum, now));
    }

    /// Lets go of sums when they take too much room: they grow while they are asked, so this is done before every view.
    pub fn trim_sums(&self) {
        self.sums.held().shrink(SUMS_BYTES_MAX);
    }
}

impl Held {
    /// Lets the longest unused go until so many bytes are left, and weighs all anew for it.
    fn shrink(&mut self, bytes_max: usize) {
        let mut by_age: Vec<(u64, Wanted, usize)> =
            self.sums.iter().map(|(span, (_, sum, used))| (*used, *span, sum.weight())).collect();
        let mut bytes: usize = by_age.iter().map(|(_, _, weight)| weight).sum();
        if bytes <= bytes_max {
            return;
        }
        by_age.sort_unstable();
        for (_, span, weight) in by_age {
            if bytes <= bytes_max / 8 * 7 {
                break;
            }
            self.sums.remove(&span);
            bytes -= weight;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::levels::{Level, Owner};
    use super::super::rollup::{DayBlock, Feed, MoneyKind, Slot};
    use super::*;
    use crate::domain::Word;

    fn block(scene: &str, count: i64) -> Arc<Packed> {
        let key = MoneyKey {
            slot: Slot(0),
            feed: Feed::Live,
            kind: MoneyKind::Payment,
            account: Word::NONE,
            provider: Word::NONE,
            method: Word::of("card"),
            scene: Word::of(scene),
            operator: Word::NONE,
            promotion: Word::NONE,
            currency: Word::of("CNY"),
        };
        let sums = MoneySums { count, ..MoneySums::default() };
        let mut block = DayBlock { money: BTreeMap::from([(key, sums)]), ..DayBlock::default() };
        let hour = ProfileKey { hour: 9, money: MoneyKey { scene: Word::NONE, ..key } };
        block.profile.insert(hour, AttemptSums { count, amount: 0 });
        Arc::new(Packed::of(block))
    }

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn days_are_summed_and_weekdays_kept_apart() {
        // Two Mondays and a Tuesday.
        let days = ["2026-11-02", "2026-11-03", "2026-11-09"].map(day);
        let sum =
            Summed::of(days.into_iter().zip([block("app", 1), block("h5", 2), block("h5", 4)]).collect());
        let counts = |detail| {
            let mut counts = Vec::new();
            sum.money(detail, |_, key, sums| counts.push((key.scene.to_string(), sums.count)));
            counts.sort();
            counts
        };
        assert_eq!(counts(Detail::Full), [("app".to_owned(), 1), ("h5".to_owned(), 6)]);
        assert_eq!(counts(Detail::Coarse), [(String::new(), 7)]);
        let mut by_weekday = Vec::new();
        sum.profile(|day, _, key, sums| by_weekday.push((day.weekday(), key.hour, sums.count)));
        assert_eq!(by_weekday, [(chrono::Weekday::Mon, 9, 5), (chrono::Weekday::Tue, 9, 2)]);
    }

    #[test]
    fn a_sum_is_not_given_when_a_day_of_it_changed() {
        let mut snapshot = Snapshot::default();
        let key = |day| super::super::levels::BlockKey { level: Level::Days, owner: Owner(7), day };
        let span =
            Wanted { level: Level::Days, owner: Owner(7), first: day("2026-11-02"), last: day("2026-11-08") };
        snapshot.rollups.put(key(day("2026-11-03")), Some(1));
        snapshot.keep_sum(span, Arc::new(Summed::of(vec![(day("2026-11-03"), block("app", 1))])));
        assert!(snapshot.sum(span).is_some());
        assert!(snapshot.sums.bytes() > 0);
        for (at, version) in [("2026-11-04", Some(2)), ("2026-11-03", Some(2)), ("2026-11-03", None)] {
            let mut later = snapshot.clone();
            later.rollups.put(key(day(at)), version);
            assert!(later.sum(span).is_none(), "{at} {version:?}");
        }
        snapshot.sums.held().shrink(0);
        assert!(snapshot.sum(span).is_none());
    }
}
