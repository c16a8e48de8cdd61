//! Which records sales and fees are taken from, for every page the same.
//!
//! Per account and source day (the provider's own day):
//! - Sales are the store's own records where it sent any; else the bill.
//! - Fees are those of the bill where it has payments; else those the records state. What states none is estimated
//!   from the contract rate in force, and unknown without one. Cash and stored value cost nothing.
//!
//! A record without an account (`default`) matches every account of its provider, so that a bill that names the
//! merchant id is not added to records that do not.

use std::cell::Cell;
use std::collections::HashMap;

use chrono::{Datelike, NaiveDate, TimeDelta};

use crate::analytics::{
    AttemptSums, Detail, Feed, MoneyKey, MoneyKind, MoneySums, PieceTime, ProfileKey, View, provider_of,
};
use crate::domain::{ContractRate, Range, StoreId, Word};

use super::figure::{FeeSums, Ladder};
use super::period::Span;
use super::query::{Breakdown, Query, Settings};
use super::walk::{Place, Stores, source_day, stops, weekday};

/// Methods that no provider charges for.
const FREE: [&str; 2] = ["cash", "stored_value"];
/// The account of records that name none.
const ANY_ACCOUNT: &str = "default";

/// One cell's part of the ladder.
pub(super) struct Movement {
    /// Index into the query's stores.
    pub store: usize,
    /// Its slug.
    pub store_word: Word,
    pub group: Word,
    pub place: Place,
    pub key: MoneyKey,
    /// The piece's day.
    pub day: NaiveDate,
    /// The piece is of a whole day: the cell knows no hour.
    pub whole: bool,
    /// The provider's own day.
    pub source_day: NaiveDate,
    pub ladder: Ladder,
}

/// Every movement of the period and the earlier one, filtered by what money cells hold.
pub(super) struct Movements<'a> {
    view: &'a View,
    query: &'a Query,
    spans: &'a [Span],
    stores: Stores,
    /// `None` where only the stores' own records are known.
    accounts: Option<Accounts>,
    rates: HashMap<(StoreId, Word), Vec<ContractRate>>,
}

impl<'a> Movements<'a> {
    pub(super) fn of(view: &'a View, query: &'a Query, settings: &Settings, spans: &'a [Span]) -> Self {
        let stores = Stores::of(query);
        let accounts = (!view.only_live).then(|| Accounts::of(view, &stores, spans));
        let mut rates: HashMap<(StoreId, Word), Vec<ContractRate>> = HashMap::new();
        for rate in &settings.contracts {
            rates.entry((rate.store, rate.provider)).or_default().push(*rate);
        }
        Self { view, query, spans, stores, accounts, rates }
    }

    /// As fine as the query asks: scene, cashier and promotion are asked for seldom.
    pub(super) fn detail_asked(query: &Query) -> Detail {
        let fine = query.filters_finely()
            || matches!(query.by, Some(Breakdown::Scene | Breakdown::Operator | Breakdown::Promotion));
        if fine { Detail::Full } else { Detail::Coarse }
    }

    /// The contract in force for a movement.
    pub(super) fn contract(&self, movement: &Movement) -> Option<&ContractRate> {
        self.in_force(movement.store, &movement.key, movement.source_day)
    }

    fn in_force(&self, store: usize, key: &MoneyKey, day: NaiveDate) -> Option<&ContractRate> {
        let store = self.query.stores.get(store)?.id;
        let provider = provider_of(key);
        let rates = self.rates.get(&(store, provider))?;
        ContractRate::in_force(rates, store, provider, key.method, day)
    }

    /// Hands every movement on.
    pub(super) fn each(&self, detail: Detail, mut take: impl FnMut(&Movement)) {
        let currency = self.query.currency.map(|currency| Word::of(currency.code()));
        for stop in stops(self.view, &self.stores, self.spans, |parts| parts.money) {
            stop.cells.money(detail, |of, key, sums| {
                let Some(place) = stop.place(key.slot) else { return };
                if currency.is_some_and(|only| only != key.currency) || !takes(self.query, key) {
                    return;
                }
                let (store, store_word) = stop.store_of(of);
                let source_day = stop.source_day(provider_of(key), key.slot);
                let basis = self.basis(store, key, source_day);
                let contract = || self.in_force(store, key, source_day);
                let Some(ladder) = ladder_of(key, sums, basis, contract) else { return };
                take(&Movement {
                    store,
                    store_word,
                    group: stop.group,
                    place,
                    key: *key,
                    day: stop.day,
                    whole: stop.whole,
                    source_day,
                    ladder,
                });
            });
        }
    }

    /// Hands on the sales of whole days in the period by hour of the wall clock, with the weekday (Monday 0).
    pub(super) fn each_hour(&self, mut take: impl FnMut(&ProfileKey, usize, &AttemptSums)) {
        let currency = self.query.currency.map(|currency| Word::of(currency.code()));
        for stop in stops(self.view, &self.stores, self.spans, |parts| parts.profile) {
            stop.cells.profile(stop.day, |day, of, key, sums| {
                let money = &key.money;
                let Some(place) = stop.place(money.slot) else { return };
                let wanted = !place.before
                    && currency.is_none_or(|only| only == money.currency)
                    && takes(self.query, money);
                let (store, _) = stop.store_of(of);
                let source_day = stop.source_day(provider_of(money), money.slot);
                if wanted && self.basis(store, money, source_day).sales == money.feed {
                    take(key, weekday(day), sums);
                }
            });
        }
    }

    fn basis(&self, store: usize, key: &MoneyKey, source_day: NaiveDate) -> Basis {
        let Some(accounts) = &self.accounts else { return Basis { sales: Feed::Live, fees: Feed::Live } };
        // Bills know neither scene nor cashier nor basket: a part cut by them takes its fees from the records.
        let filter = &self.query.filter;
        let cut = self.query.filters_finely() || !filter.category.is_any() || filter.attribute.is_some();
        accounts.basis(accounts.find(store, provider_of(key), key.account), source_day, cut)
    }
}

fn takes(query: &Query, key: &MoneyKey) -> bool {
    let filter = &query.filter;
    filter.provider.takes(key.provider)
        && filter.method.takes(key.method)
        && filter.scene.takes(key.scene)
        && filter.operator.takes(key.operator)
        && filter.promotion.takes(key.promotion)
}

/// Which feed sales and fees of one account and source day are taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Basis {
    sales: Feed,
    fees: Feed,
}

/// What a cell adds to the ladder; `None` when it is not of the feeds that count.
fn ladder_of<'a>(
    key: &MoneyKey,
    sums: &MoneySums,
    basis: Basis,
    contract: impl FnOnce() -> Option<&'a ContractRate>,
) -> Option<Ladder> {
    let sales = key.feed == basis.sales;
    let fees = key.feed == basis.fees;
    if !sales && !fees && key.kind != MoneyKind::Fee {
        return None;
    }
    let mut ladder = Ladder::default();
    match key.kind {
        MoneyKind::Payment | MoneyKind::Hold if sales => {
            ladder.payments = sums.count;
            ladder.list = sums.list;
            ladder.discount_merchant = sums.discount_merchant;
            ladder.discount_platform = sums.discount_platform;
            ladder.paid = sums.amount;
            ladder.tax = sums.tax;
        }
        MoneyKind::Refund if sales => {
            ladder.refunds = sums.count;
            ladder.refunded = sums.amount;
        }
        MoneyKind::Dispute if sales => {
            ladder.disputes = sums.count;
            ladder.disputed = sums.amount;
        }
        MoneyKind::TopUp if sales => {
            ladder.top_ups = sums.count;
            ladder.top_up_amount = sums.amount;
        }
        MoneyKind::Payout | MoneyKind::Transfer | MoneyKind::Adjustment => return None,
        _ => {}
    }
    match key.kind {
        MoneyKind::Payment | MoneyKind::Hold | MoneyKind::TopUp if fees => {
            ladder.fees = payment_fees(key, sums, contract);
        }
        // A fee given back is negative on bills, and a field of its own on records.
        MoneyKind::Refund | MoneyKind::Dispute if fees => {
            ladder.fees.returned = sums.fee_refunded - sums.fee;
        }
        MoneyKind::Fee => ladder.fees.separate = sums.amount,
        _ => {}
    }
    Some(ladder)
}

fn payment_fees<'a>(
    key: &MoneyKey,
    sums: &MoneySums,
    contract: impl FnOnce() -> Option<&'a ContractRate>,
) -> FeeSums {
    let mut fees = FeeSums {
        charged: sums.fee,
        returned: sums.fee_refunded,
        charged_amount: sums.fee_known_amount,
        charged_count: sums.fee_known_count,
        ..FeeSums::default()
    };
    let (count, amount) = (sums.count - sums.fee_known_count, sums.amount - sums.fee_known_amount);
    if count == 0 {
        return fees;
    }
    if FREE.contains(&key.method.as_str()) {
        fees.charged_count += count;
        fees.charged_amount += amount;
    } else if let Some(rate) = contract() {
        fees.estimated = rate.fee_of_many(count, amount);
        fees.estimated_count = count;
        fees.estimated_amount = amount;
    } else {
        fees.unknown_count = count;
        fees.unknown_amount = amount;
    }
    fees
}

/// On which source days which feeds have records, by account.
struct Accounts {
    known: Vec<Account>,
    places: HashMap<(usize, Word, Word), usize>,
    first: NaiveDate,
    days: usize,
    /// The account of the last cell: neighbours mostly share it.
    last_found: Cell<usize>,
}

struct Account {
    store: usize,
    provider: Word,
    name: Word,
    /// By days since [`Accounts::first`]: own records; payments on the bill.
    live: Vec<bool>,
    billed: Vec<bool>,
}

impl Accounts {
    fn of(view: &View, stores: &Stores, spans: &[Span]) -> Self {
        let needed: Vec<_> = spans.iter().map(utc_days_around).collect();
        let all = || needed.iter().flat_map(|ranges| ranges.iter());
        let first = all().map(|(from, _)| *from).min().unwrap_or_default();
        let last = all().map(|(_, until)| *until).max().unwrap_or_default();
        // A day more: Beijing's day of the last UTC day's evening.
        let days = usize::try_from((last - first).num_days()).unwrap_or(0) + 2;
        let (known, places) = (Vec::new(), HashMap::new());
        let mut accounts = Self { known, places, first, days, last_found: Cell::new(0) };
        for piece in view.pieces.iter().filter(|piece| piece.parts.money) {
            let Some(own) = stores.index(piece.store) else { continue };
            let near = |(from, until): &(NaiveDate, NaiveDate)| *from <= piece.day && piece.day <= *until;
            if !needed.get(own).is_some_and(|ranges| ranges.iter().any(near)) {
                continue;
            }
            let whole = matches!(piece.time, PieceTime::Whole(_));
            piece.cells.money(Detail::Coarse, |of, key, _| {
                let store = if of.0 == 0 { own } else { stores.index(of).unwrap_or(own) };
                accounts.note(store, key, source_day(whole, piece.day, provider_of(key), key.slot));
            });
        }
        accounts.join();
        accounts
    }

    fn note(&mut self, store: usize, key: &MoneyKey, source_day: NaiveDate) {
        let counts = match key.feed {
            Feed::Live => true,
            Feed::Ledger => key.kind == MoneyKind::Payment,
        };
        let provider = provider_of(key);
        let found = self.find(store, provider, key.account).unwrap_or_else(|| {
            let none = vec![false; self.days];
            self.places.insert((store, provider, key.account), self.known.len());
            let account = Account { store, provider, name: key.account, live: none.clone(), billed: none };
            self.known.push(account);
            self.known.len() - 1
        });
        let offset = self.offset(source_day);
        let Some(account) = self.known.get_mut(found).filter(|_| counts) else { return };
        let marks = if key.feed == Feed::Live { &mut account.live } else { &mut account.billed };
        if let Some(mark) = offset.and_then(|offset| marks.get_mut(offset)) {
            *mark = true;
        }
    }

    /// Days from `first`.
    fn offset(&self, source_day: NaiveDate) -> Option<usize> {
        usize::try_from(source_day.num_days_from_ce() - self.first.num_days_from_ce()).ok()
    }

    /// The account's index.
    fn find(&self, store: usize, provider: Word, name: Word) -> Option<usize> {
        let same = |account: &Account| {
            account.store == store && account.provider == provider && account.name == name
        };
        if self.known.get(self.last_found.get()).is_some_and(same) {
            return Some(self.last_found.get());
        }
        let found = *self.places.get(&(store, provider, name))?;
        self.last_found.set(found);
        Some(found)
    }

    /// Lets `default` and the named accounts of a provider know of each other's days.
    fn join(&mut self) {
        let own: Vec<_> =
            self.known.iter().map(|account| (account.live.clone(), account.billed.clone())).collect();
        for index in 0..self.known.len() {
            for (other, (live, billed)) in own.iter().enumerate() {
                if other == index || !self.match_each_other(index, other) {
                    continue;
                }
                let Some(account) = self.known.get_mut(index) else { continue };
                merge(&mut account.live, live);
                merge(&mut account.billed, billed);
            }
        }
    }

    fn match_each_other(&self, one: usize, other: usize) -> bool {
        let (Some(one), Some(other)) = (self.known.get(one), self.known.get(other)) else { return false };
        let wild = |account: &Account| account.name.is_none() || account.name.as_str() == ANY_ACCOUNT;
        one.store == other.store && one.provider == other.provider && (wild(one) || wild(other))
    }

    fn basis(&self, account: Option<usize>, source_day: NaiveDate, cut: bool) -> Basis {
        let account = account.and_then(|account| self.known.get(account));
        let offset = self.offset(source_day);
        let has = |marks: fn(&Account) -> &Vec<bool>| {
            let mark = account.zip(offset).and_then(|(account, offset)| marks(account).get(offset));
            mark.copied().unwrap_or(false)
        };
        let live = has(|account| &account.live);
        let billed = has(|account| &account.billed);
        let sales = if live { Feed::Live } else { Feed::Ledger };
        let fees = if live && (cut || !billed) { Feed::Live } else { Feed::Ledger };
        Basis { sales, fees }
    }
}

fn merge(marks: &mut [bool], others: &[bool]) {
    for (mark, other) in marks.iter_mut().zip(others) {
        *mark |= other;
    }
}

/// The UTC days that source days of a span may touch.
fn utc_days_around(span: &Span) -> Vec<(NaiveDate, NaiveDate)> {
    let around = |range: Range| {
        let day = TimeDelta::days(1);
        ((range.from - day).date_naive(), (range.until + day).date_naive())
    };
    let before = span.before.as_ref().map(|before| around(before.range));
    std::iter::once(around(span.range)).chain(before).collect()
}

#[cfg(test)]
mod tests {
    use super::super::period::Period;
    use super::super::testing::{Cell, World, at, contract, day, paid, query};
    use super::*;

    /// The ladder of 24 November in Shanghai.
    fn ladder(world: World, settings: &Settings) -> Ladder {
        ladder_of_query(&world.view(), settings, &query(Period::Yesterday, at("2026-11-25T06:25:00Z")))
    }

    fn ladder_of_query(view: &View, settings: &Settings, query: &Query) -> Ladder {
        let spans = query.spans().unwrap();
        let mut total = Ladder::default();
        Movements::of(view, query, settings, &spans).each(Movements::detail_asked(query), |movement| {
            if !movement.place.before {
                total += movement.ladder;
            }
        });
        total
    }

    /// Noon in Shanghai.
    const NOON: &str = "2026-11-24T04:00:00Z";

    #[test]
    fn the_bills_fee_counts_and_the_shops_own_sales() {
        // The bill lacks one payment: sales are the shop's 3, fees those of the bill.
        let world = World::default()
            .with(NOON, paid(3, 30_000))
            .with(NOON, paid(2, 20_000).billed("1230000109", 120));
        let ladder = ladder(world, &contract("wechat_pay", 6_000));
        assert_eq!((ladder.payments, ladder.paid, ladder.fees.charged), (3, 30_000, 120));
        assert_eq!((ladder.fees.charged_amount, ladder.fees.estimated_count), (20_000, 0));
        assert_eq!(ladder.fees.rate_ppm(), Some(6_000));
    }

    #[test]
    fn without_own_records_the_bill_is_the_sales() {
        let world = World::default()
            .with(NOON, paid(2, 20_000).billed("1230000109", 120))
            .with(NOON, paid(1, 5_000).billed("1230000109", -30).kind(MoneyKind::Refund));
        let ladder = ladder(world, &Settings::default());
        assert_eq!((ladder.payments, ladder.paid, ladder.refunded), (2, 20_000, 5_000));
        assert_eq!((ladder.fees.charged, ladder.fees.returned), (120, 30));
        assert_eq!(ladder.net_proceeds(), Some(20_000 - 5_000 - 120 + 30));
    }

    #[test]
    fn the_choice_is_made_by_the_providers_day() {
        // Own records begin on the 25th at 00:30 in Shanghai; the 24th has the bill only.
        let world = World::default()
            .with("2026-11-24T15:00:00Z", paid(2, 20_000).billed("1230000109", 120))
            .with("2026-11-24T16:00:00Z", paid(1, 7_000));
        let now = at("2026-11-25T06:25:00Z");
        let view = world.view();
        let settings = Settings::default();
        let on = |text: &str| {
            let period = Period::Custom { first: day(text), last: day(text) };
            ladder_of_query(&view, &settings, &query(period, now))
        };
        assert_eq!((on("2026-11-24").paid, on("2026-11-24").fees.charged), (20_000, 120));
        assert_eq!((on("2026-11-25").paid, on("2026-11-25").fees.unknown_amount), (7_000, 7_000));
        // Both days together are their sum.
        let both = Period::Custom { first: day("2026-11-24"), last: day("2026-11-25") };
        assert_eq!(ladder_of_query(&view, &settings, &query(both, now)).paid, 27_000);
    }

    #[test]
    fn a_named_account_is_not_another_named_account() {
        let own = Cell { account: "A", ..paid(1, 1_000) };
        let world = World::default().with(NOON, own).with(NOON, paid(1, 2_000).billed("B", 12));
        let ladder = ladder(world, &Settings::default());
        assert_eq!((ladder.payments, ladder.paid, ladder.fees.charged), (2, 3_000, 12));
        assert_eq!(ladder.fees.unknown_amount, 1_000);
    }

    #[test]
    fn fees_are_stated_estimated_or_unknown() {
        let world = World::default()
            .with(NOON, paid(1, 10_000).fee(55))
            .with(NOON, paid(2, 20_001))
            .with(NOON, paid(1, 9_900).by("alipay"))
            .with(NOON, paid(4, 8_000).by("cash"));
        let ladder = ladder(world, &contract("wechat_pay", 6_000));
        let fees = ladder.fees;
        // 0.6 % of 200.01 is 1.20006.
        assert_eq!((fees.charged, fees.estimated, fees.unknown_amount), (55, 120, 9_900));
        assert_eq!((fees.charged_count, fees.estimated_count, fees.unknown_count), (5, 2, 1));
        assert_eq!(fees.total(), Some(175));
        assert_eq!(fees.charged_amount + fees.estimated_amount + fees.unknown_amount, ladder.paid);
    }

    #[test]
    fn stored_value_bought_is_no_income_but_costs_a_fee() {
        let world = World::default().with(NOON, paid(1, 50_000).fee(300).kind(MoneyKind::TopUp));
        let ladder = ladder(world, &Settings::default());
        assert_eq!((ladder.payments, ladder.paid, ladder.top_up_amount), (0, 0, 50_000));
        assert_eq!(ladder.fees.total(), Some(300));
    }

    #[test]
    fn payouts_and_transfers_are_no_sales_and_fee_lines_stand_apart() {
        let line = paid(1, 10_000).billed("1230000109", 0);
        let world = World::default()
            .with(NOON, paid(1, 40_000).fee(240))
            .with(NOON, line.kind(MoneyKind::Payout))
            .with(NOON, line.kind(MoneyKind::Transfer))
            .with(NOON, line.kind(MoneyKind::Adjustment))
            .with(NOON, paid(1, 99).billed("1230000109", 0).kind(MoneyKind::Fee));
        let ladder = ladder(world, &Settings::default());
        assert_eq!((ladder.paid, ladder.fees.charged, ladder.fees.separate), (40_000, 240, 99));
        assert_eq!(ladder.fees.rate_ppm(), Some(6_000));
        assert_eq!(ladder.fees.all_in_rate_ppm(), Some(8_475));
    }

    #[test]
    fn a_cashiers_part_takes_its_fees_from_the_records() {
        let mut query = query(Period::Yesterday, at("2026-11-25T06:25:00Z"));
        let own = Cell { operator: "lin", ..paid(1, 10_000).fee(60) };
        let world = World::default().with(NOON, own).with(NOON, paid(3, 30_000).billed("1230000109", 180));
        query.filter.operator = super::super::Selection::Only(vec![Word::of("lin")]);
        let ladder = ladder_of_query(&world.view(), &Settings::default(), &query);
        assert_eq!((ladder.paid, ladder.fees.charged), (10_000, 60));
    }
}
