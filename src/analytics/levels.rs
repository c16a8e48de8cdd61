//! The levels that rollups are kept at, and how a change of the finest one moves the others.
//!
//! A query takes the coarsest blocks that answer it. All levels are changed by the same signed cells in the same fold,
//! and each is what a sum over [`Level::Hours`] gives.

use std::collections::BTreeMap;
use std::ops::AddAssign;

use chrono::{Datelike, NaiveDate, NaiveTime, Timelike};
use chrono_tz::Tz;

use crate::domain::{
    BusinessDay, Instant, OrganisationId, Range, Store, StoreId, Word, business_day_of, day_range,
};

use super::cell::{category_item, coarse_conversion, coarse_money};
use super::changes::Changes;
use super::rollup::{AttemptSums, DayBlock, MoneyKey, MoneyKind, ProfileKey, Slot, add_cells, gathered};
use super::sketch::Sketch;

/// How coarse a block is. The numbers stand in the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// One store, one UTC day, by slot: everything else is made from it.
    Hours = 0,
    /// One store, one of its business days, without slot.
    Days = 1,
    /// All stores of a calendar, one UTC day, by slot, without store and cashier.
    AllHours = 2,
    /// All stores of a calendar, one business day, without store, slot and cashier.
    AllDays = 3,
    /// Every store of a calendar by itself, one business day: money, conversion and basket lines without scene,
    /// promotion, product. For rankings, and where fees depend on each store's own bills and contracts.
    Stores = 4,
    /// Who paid, about: one store, one business day.
    Customers = 5,
    /// Who paid, about: all stores of a calendar, one business day.
    AllCustomers = 6,
}

impl Level {
    /// Every level, finest first.
    pub const ALL: [Self; 7] = [
        Self::Hours,
        Self::Days,
        Self::AllHours,
        Self::AllDays,
        Self::Stores,
        Self::Customers,
        Self::AllCustomers,
    ];

    /// The level of a number in the database.
    pub fn parse(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.number() == number)
    }

    /// Its number in the database.
    pub const fn number(self) -> i64 {
        self as i64
    }
}

/// Whose block: a store's number, or that of a calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Owner(pub i64);

impl From<StoreId> for Owner {
    fn from(store: StoreId) -> Self {
        Self(store.0)
    }
}

/// Names a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockKey {
    pub level: Level,
    pub owner: Owner,
    /// UTC day of hours, business day of days.
    pub day: NaiveDate,
}

/// What business days depend on. Stores of one organisation that share it are summed up together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Calendar {
    pub organisation: OrganisationId,
    pub zone: Tz,
    pub cut_off: NaiveTime,
}

impl Calendar {
    /// A store's own.
    pub const fn of(store: &Store) -> Self {
        Self { organisation: store.organisation, zone: store.zone, cut_off: store.cut_off }
    }

    /// The owner of the blocks of all its stores: the same number on every machine.
    pub fn owner(&self) -> Owner {
        let name = format!("{} {} {}", self.organisation.0, self.zone, self.cut_off);
        let mut number = [0; 8];
        for (byte, of) in number.iter_mut().zip(blake3::hash(name.as_bytes()).as_bytes()) {
            *byte = *of;
        }
        // Positive: PostgreSQL and SQLite have no unsigned numbers.
        Owner(i64::from_le_bytes(number) & i64::MAX)
    }

    /// The instants of one business day; `None` at the ends of the calendar.
    pub fn range(&self, day: BusinessDay) -> Option<Range> {
        day_range(&self.like_store(), day, day).ok()
    }

    /// A store that has this calendar: business days are computed in one place.
    fn like_store(&self) -> Store {
        Store {
            id: StoreId(0),
            organisation: self.organisation,
            slug: String::new(),
            name: String::new(),
            zone: self.zone,
            cut_off: self.cut_off,
            week_start: chrono::Weekday::Mon,
            currency: crate::domain::Currency::CNY,
            language: String::new(),
        }
    }
}

/// Calendars under which the levels of each store stand.
pub type Calendars = BTreeMap<StoreId, Calendar>;

/// Providers whose day is that of Beijing.
const BEIJING: [&str; 3] = ["wechat_pay", "alipay", "unionpay"];
/// Slot of the first quarter hour that is on the next day in Beijing.
const BEIJING_MIDNIGHT: u8 = 64;
/// In blocks of whole days the slot of a money cell says how far its provider's own day is from the business day:
/// this slot is the same day.
const SAME_DAY: u8 = 8;

/// The provider that a cell's fees are agreed with: the method where the record names none.
pub const fn provider_of(key: &MoneyKey) -> Word {
    if key.provider.is_none() { key.method } else { key.provider }
}

/// True when a cell belongs to the day after its UTC day: China has one zone, eight hours ahead, and no summer time.
pub fn next_day_in_beijing(provider: Word, slot: Slot) -> bool {
    slot.0 >= BEIJING_MIDNIGHT && BEIJING.contains(&provider.as_str())
}

/// Days from the day of a whole day's block to the provider's own day of one of its money cells.
pub fn source_offset(slot: Slot) -> i32 {
    i32::from(slot.0) - i32::from(SAME_DAY)
}

/// Changes by level. Equal when their cells are: who paid is known only about, and is never compared.
#[derive(Clone, Debug, Default)]
pub struct LevelChanges {
    /// Of the levels that hold cells but for [`Level::Stores`].
    pub blocks: BTreeMap<BlockKey, DayBlock>,
    /// Of [`Level::Stores`].
    pub stores: BTreeMap<BlockKey, BTreeMap<StoreId, DayBlock>>,
    /// Of [`Level::Customers`] and [`Level::AllCustomers`].
    pub customers: BTreeMap<BlockKey, Sketch>,
}

impl PartialEq for LevelChanges {
    fn eq(&self, other: &Self) -> bool {
        self.blocks == other.blocks && self.stores == other.stores
    }
}

impl Eq for LevelChanges {}

/// What these changes of [`Level::Hours`] mean for every level. Stores without a calendar have hours only.
pub fn level_changes(changes: &Changes, calendars: &Calendars) -> LevelChanges {
    let mut levels = LevelChanges::default();
    for ((store, day), change) in changes {
        levels.add(*store, *day, change, calendars.get(store));
    }
    levels
}

impl LevelChanges {
    /// Adds a change of one store's hours.
    pub fn add(&mut self, store: StoreId, day: NaiveDate, change: &DayBlock, calendar: Option<&Calendar>) {
        self.block(Level::Hours, store.into(), day).apply(change);
        let Some(calendar) = calendar else { return };
        self.add_payers(store, calendar, day, &change.payers.0);
        let all = calendar.owner();
        add_without_cashier(self.block(Level::AllHours, all, day), change);
        for (business_day, part) in whole_days(calendar, day, change) {
            self.block(Level::Days, store.into(), business_day).apply(&part);
            add_without_cashier(self.block(Level::AllDays, all, business_day), &part);
            let ranked = ranked(&part);
            if !ranked.is_empty() {
                let key = BlockKey { level: Level::Stores, owner: all, day: business_day };
                self.stores.entry(key).or_default().entry(store).or_default().apply(&ranked);
            }
        }
    }

    /// The cells of [`Level::Hours`] by store and UTC day.
    pub fn hours(&self) -> Changes {
        let hours = self.blocks.iter().filter(|(key, _)| key.level == Level::Hours);
        hours.map(|(key, block)| ((StoreId(key.owner.0), key.day), block.clone())).collect()
    }

    fn add_payers(&mut self, store: StoreId, calendar: &Calendar, day: NaiveDate, payers: &[(Slot, u64)]) {
        if payers.is_empty() {
            return;
        }
        let places = Places::of(calendar, day);
        let mut hashes: BTreeMap<BusinessDay, Vec<u64>> = BTreeMap::new();
        for (slot, hash) in payers {
            hashes.entry(places.at(*slot).day).or_default().push(*hash);
        }
        for (day, hashes) in hashes {
            for (level, owner) in [(Level::Customers, store.into()), (Level::AllCustomers, calendar.owner())]
            {
                let key = BlockKey { level, owner, day };
                self.customers.entry(key).or_default().add(hashes.iter().copied());
            }
        }
    }

    fn block(&mut self, level: Level, owner: Owner, day: NaiveDate) -> &mut DayBlock {
        self.blocks.entry(BlockKey { level, owner, day }).or_default()
    }
}

fn add_without_cashier(block: &mut DayBlock, change: &DayBlock) {
    let money = change.money.iter().map(|(key, sums)| (MoneyKey { operator: Word::NONE, ..*key }, *sums));
    add_cells(&mut block.money, &gathered(money.collect()));
    add_cells(&mut block.attempts, &change.attempts);
    add_cells(&mut block.conversion, &change.conversion);
    add_cells(&mut block.latency, &change.latency);
    add_cells(&mut block.items, &change.items);
    add_cells(&mut block.profile, &change.profile);
}

/// What rankings need of a store's business day.
fn ranked(part: &DayBlock) -> DayBlock {
    fn coarser<K: Copy + Ord, V: Copy + AddAssign>(
        cells: &BTreeMap<K, V>,
        coarse: impl Fn(&K) -> K,
    ) -> BTreeMap<K, V> {
        gathered(cells.iter().map(|(key, sums)| (coarse(key), *sums)).collect())
    }
    DayBlock {
        money: coarser(&part.money, coarse_money),
        conversion: coarser(&part.conversion, coarse_conversion),
        items: coarser(&part.items, category_item),
        ..DayBlock::default()
    }
}

/// The parts of a UTC day's change by business day, without slot.
fn whole_days(calendar: &Calendar, day: NaiveDate, change: &DayBlock) -> BTreeMap<BusinessDay, DayBlock> {
    let places = Places::of(calendar, day);
    let mut parts: BTreeMap<BusinessDay, DayBlock> = BTreeMap::new();
    let (mut money, mut profile) = (Parted::default(), Parted::default());
    for (key, sums) in &change.money {
        let place = places.at(key.slot);
        let slot = places.source_slot(key, place.day);
        let key = MoneyKey { slot, ..*key };
        money.push(place.day, key, *sums);
        if matches!(key.kind, MoneyKind::Payment | MoneyKind::Hold) {
            let key = ProfileKey { hour: place.hour, money: coarse_money(&key) };
            profile.push(place.day, key, AttemptSums { count: sums.count, amount: sums.amount });
        }
    }
    money.into_parts(&mut parts, |part| &mut part.money);
    profile.into_parts(&mut parts, |part| &mut part.profile);
    let slot = Slot(0);
    Parted::of(&change.attempts, |key| (places.at(key.slot).day, super::AttemptKey { slot, ..*key }))
        .into_parts(&mut parts, |part| &mut part.attempts);
    Parted::of(&change.conversion, |key| (places.at(key.slot).day, super::ConversionKey { slot, ..*key }))
        .into_parts(&mut parts, |part| &mut part.conversion);
    Parted::of(&change.latency, |key| (places.at(key.slot).day, super::LatencyKey { slot, ..*key }))
        .into_parts(&mut parts, |part| &mut part.latency);
    Parted::of(&change.items, |key| (places.at(key.slot).day, super::ItemKey { slot, ..*key }))
        .into_parts(&mut parts, |part| &mut part.items);
    parts
}

/// Cells of one kind on their way to their business days.
struct Parted<K, V>(BTreeMap<BusinessDay, Vec<(K, V)>>);

impl<K, V> Default for Parted<K, V> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Copy + Ord, V: Copy + AddAssign> Parted<K, V> {
    fn of(cells: &BTreeMap<K, V>, place: impl Fn(&K) -> (BusinessDay, K)) -> Self {
        let mut parted = Self::default();
        for (key, sums) in cells {
            let (day, key) = place(key);
            parted.push(day, key, *sums);
        }
        parted
    }

    fn push(&mut self, day: BusinessDay, key: K, sums: V) {
        self.0.entry(day).or_default().push((key, sums));
    }

    fn into_parts(
        self,
        parts: &mut BTreeMap<BusinessDay, DayBlock>,
        kind: impl Fn(&mut DayBlock) -> &mut BTreeMap<K, V>,
    ) {
        for (day, cells) in self.0 {
            *kind(parts.entry(day).or_default()) = gathered(cells);
        }
    }
}

/// Where the slots of one UTC day lie in a calendar.
struct Places {
    day: NaiveDate,
    slots: Vec<Spot>,
}

#[derive(Clone, Copy)]
struct Spot {
    day: BusinessDay,
    /// Of the wall clock.
    hour: u8,
}

impl Places {
    fn of(calendar: &Calendar, day: NaiveDate) -> Self {
        let store = calendar.like_store();
        let spot = |slot: u8| {
            let at: Instant = Slot(slot).starts_at(day);
            let hour = at.with_timezone(&calendar.zone).hour();
            Spot { day: business_day_of(&store, at), hour: u8::try_from(hour).unwrap_or(0) }
        };
        Self { day, slots: (0..96).map(spot).collect() }
    }

    fn at(&self, slot: Slot) -> Spot {
        self.slots.get(usize::from(slot.0)).copied().unwrap_or(Spot { day: self.day, hour: 0 })
    }

    /// The provider's own day of a cell, as a distance from its business day.
    fn source_slot(&self, key: &MoneyKey, business_day: BusinessDay) -> Slot {
        let source = self.day.num_days_from_ce() + i32::from(next_day_in_beijing(provider_of(key), key.slot));
        let offset = source - business_day.num_days_from_ce() + i32::from(SAME_DAY);
        Slot(u8::try_from(offset).unwrap_or(SAME_DAY))
    }
}
