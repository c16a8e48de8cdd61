//! Small worlds for the tests of this room.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use chrono_tz::Tz;

use crate::analytics::{
    ConversionKey, ConversionSums, DayBlock, Feed, MoneyKey, MoneyKind, MoneySums, Slot, Unit, View,
};
use crate::domain::{ContractRate, Currency, Grain, Instant, OrganisationId, Store, StoreId, Word};

use super::{Period, Query, Settings};

pub(super) fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

pub(super) fn at(text: &str) -> Instant {
    text.parse().unwrap()
}

pub(super) fn store(id: i64, zone: Tz) -> Store {
    Store {
        id: StoreId(id),
        organisation: OrganisationId(1),
        slug: format!("store-{id}"),
        name: format!("Store {id}"),
        zone,
        cut_off: chrono::NaiveTime::MIN,
        week_start: chrono::Weekday::Mon,
        currency: Currency::CNY,
        language: "zh-Hans".into(),
    }
}

/// A query of one store in Shanghai.
pub(super) fn query(period: Period, now: Instant) -> Query {
    Query::new(vec![store(1, Tz::Asia__Shanghai)], period, now)
}

/// Cells of made-up days. Amounts are minor units of CNY unless said otherwise.
#[derive(Default)]
pub(super) struct World {
    pub view: View,
    blocks: BTreeMap<(StoreId, NaiveDate), DayBlock>,
}

/// A movement to put into a [`World`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Cell {
    pub store: i64,
    pub feed: Feed,
    pub kind: MoneyKind,
    pub account: &'static str,
    pub provider: &'static str,
    pub method: &'static str,
    pub operator: &'static str,
    pub currency: &'static str,
    pub sums: MoneySums,
}

/// `count` own payments by WeChat Pay of together `amount`, fee unknown.
pub(super) fn paid(count: i64, amount: i128) -> Cell {
    Cell {
        store: 1,
        feed: Feed::Live,
        kind: MoneyKind::Payment,
        account: "default",
        provider: "wechat_pay",
        method: "wechat_pay",
        operator: "",
        currency: "CNY",
        sums: MoneySums { count, amount, list: amount, ..MoneySums::default() },
    }
}

impl Cell {
    pub(super) fn kind(self, kind: MoneyKind) -> Self {
        Self { kind, ..self }
    }

    pub(super) fn by(self, word: &'static str) -> Self {
        Self { provider: word, method: word, ..self }
    }

    /// On the bill of this merchant id, with its fee.
    pub(super) fn billed(self, account: &'static str, fee: i128) -> Self {
        Self { feed: Feed::Ledger, account, ..self }.fee(fee)
    }

    /// With a stated fee.
    pub(super) fn fee(mut self, fee: i128) -> Self {
        self.sums.fee = fee;
        self.sums.fee_known_count = self.sums.count;
        self.sums.fee_known_amount = self.sums.amount;
        self
    }
}

impl World {
    /// Adds a movement in the hour of this instant.
    pub(super) fn with(mut self, when: &str, cell: Cell) -> Self {
        let (day, slot) = Slot::of(at(when), Grain::Hour);
        let key = MoneyKey {
            slot,
            feed: cell.feed,
            kind: cell.kind,
            account: Word::of(cell.account),
            provider: Word::of(cell.provider),
            method: Word::of(cell.method),
            scene: Word::NONE,
            operator: Word::of(cell.operator),
            promotion: Word::NONE,
            currency: Word::of(cell.currency),
        };
        let change = DayBlock { money: BTreeMap::from([(key, cell.sums)]), ..DayBlock::default() };
        self.blocks.entry((StoreId(cell.store), day)).or_default().apply(&change);
        self
    }

    /// Adds cells of another kind to a store's day.
    pub(super) fn with_block(mut self, store: i64, day: NaiveDate, change: &DayBlock) -> Self {
        self.blocks.entry((StoreId(store), day)).or_default().apply(change);
        self
    }

    pub(super) fn view(self) -> View {
        let mut view = self.view;
        for ((store, day), block) in self.blocks {
            view.insert(store, Word::NONE, day, block);
        }
        view
    }
}

/// Attempts, intents or groups of one hour, by WeChat Pay.
pub(super) fn conversion(unit: Unit, when: &str, sums: ConversionSums) -> DayBlock {
    let (_, slot) = Slot::of(at(when), Grain::Hour);
    let key = ConversionKey {
        unit,
        slot,
        provider: Word::of("wechat_pay"),
        method: Word::of("wechat_pay"),
        scene: Word::NONE,
        promotion: Word::NONE,
        currency: Word::of("CNY"),
    };
    DayBlock { conversion: BTreeMap::from([(key, sums)]), ..DayBlock::default() }
}

/// Settings with one contract rate of store 1 from the beginning of 2026.
pub(super) fn contract(provider: &str, rate_ppm: u32) -> Settings {
    let rate = ContractRate {
        store: StoreId(1),
        provider: Word::of(provider),
        method: None,
        valid_from: day("2026-01-01"),
        valid_until: None,
        rate_ppm,
        fixed_minor: 0,
        rounding: crate::domain::Rounding::HalfUp,
    };
    Settings { contracts: vec![rate] }
}
