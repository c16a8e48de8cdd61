//! Which records sales and fees are taken from, for every page the same.
//!
//! Per account and source day (the provider's own day):
//! - Sales are the store's own records where it sent any; else the bill.
//! - Fees are those of the bill where it has payments; else those the records state. What states none is estimated
//!   from the contract rate in force, and unknown without one. Cash and stored value cost nothing.
//!
//! A record without an account (`default`) matches every account of its provider, so that a bill that names the
//! merchant id is not added to records that do not.

use chrono::{Datelike, NaiveDate, TimeDelta};

use crate::analytics::{Feed, MoneyKey, MoneyKind, MoneySums, Slot, View};
use crate::domain::{ContractRate, Range, Store, Word};

use super::figure::{FeeSums, Ladder};
use super::period::Span;
use super::query::{Breakdown, Query, Settings};
use super::walk::{Place, blocks_of, stops};

/// Providers whose day is that of Beijing.
const BEIJING: [&str; 3] = ["wechat_pay", "alipay", "unionpay"];
/// Methods that no provider charges for.
const FREE: [&str; 2] = ["cash", "stored_value"];
/// The account of records that name none.
const ANY_ACCOUNT: &str = "default";

/// One cell's part of the ladder.
pub(super) struct Movement<'a> {
    /// Index into the query's stores.
    pub store: usize,
    /// Its slug.
    pub store_word: Word,
    pub group: Word,
    pub place: Place,
    pub key: &'a MoneyKey,
    /// The cell's UTC day.
    pub day: NaiveDate,
    pub ladder: Ladder,
}

impl Movement<'_> {
    /// The provider's own day.
    pub(super) fn source_day(&self) -> NaiveDate {
        source_day(provider_of(self.key), self.day, self.key.slot)
    }
}

/// The provider that a cell's fees are agreed with: the method where the record names none.
pub(super) fn provider_of(key: &MoneyKey) -> Word {
    if key.provider.is_none() { key.method } else { key.provider }
}

/// The provider's own day of a cell.
fn source_day(provider: Word, day: NaiveDate, slot: Slot) -> NaiveDate {
    if next_day_in_beijing(provider, slot) { day.succ_opt().unwrap_or(day) } else { day }
}

/// True when a cell belongs to the day after its UTC day: China has one zone, eight hours ahead, and no summer time.
fn next_day_in_beijing(provider: Word, slot: Slot) -> bool {
    slot.0 >= 64 && BEIJING.contains(&provider.as_str())
}

/// How fine the cells must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Detail {
    /// As the query asks.
    Asked,
    /// With cashiers, whatever the query asks.
    Operators,
}

/// Hands every movement of the period and the earlier one to `take`, filtered by what money cells hold.
pub(super) fn movements<'a>(
    view: &'a View,
    query: &'a Query,
    settings: &Settings,
    spans: &'a [Span],
    detail: Detail,
    mut take: impl FnMut(&Movement<'a>),
) {
    let mut accounts = Accounts::of(view, query, spans);
    let currency = query.currency.map(|currency| Word::of(currency.code()));
    // Bills know neither scene nor cashier nor basket: a part cut by them takes its fees from the records.
    let filter = &query.filter;
    let cut = !filter.scene.is_any()
        || !filter.operator.is_any()
        || !filter.category.is_any()
        || filter.attribute.is_some();
    // Scene and cashier are asked for seldom; without them there are several times fewer cells.
    let fine = !filter.scene.is_any()
        || !filter.operator.is_any()
        || detail == Detail::Operators
        || matches!(query.by, Some(Breakdown::Scene | Breakdown::Operator));
    for stop in stops(view, query, spans) {
        let Some(store) = query.stores.get(stop.store) else { continue };
        let mut one = |key: &'a MoneyKey, sums: &MoneySums| {
            let Some(place) = stop.place(key.slot) else { return };
            if currency.is_some_and(|only| only != key.currency) || !takes(query, key) {
                return;
            }
            let provider = provider_of(key);
            let account = accounts.find(stop.store, provider, key.account);
            let basis = accounts.basis(account, stop.day, key.slot, cut);
            let contracts = Contracts { settings, store, provider, key, day: stop.day };
            let Some(ladder) = ladder_of(key, sums, basis, &contracts) else { return };
            take(&Movement {
                store: stop.store,
                store_word: stop.store_word,
                group: stop.group,
                place,
                key,
                day: stop.day,
                ladder,
            });
        };
        if fine {
            stop.block.money.iter().for_each(|(key, sums)| one(key, sums));
        } else {
            stop.block.coarse_money().iter().for_each(|(key, sums)| one(key, sums));
        }
    }
}

fn takes(query: &Query, key: &MoneyKey) -> bool {
    let filter = &query.filter;
    filter.provider.takes(key.provider)
        && filter.method.takes(key.method)
        && filter.scene.takes(key.scene)
        && filter.operator.takes(key.operator)
}

/// Which feed sales and fees of one account and source day are taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Basis {
    sales: Feed,
    fees: Feed,
}

struct Contracts<'a> {
    settings: &'a Settings,
    store: &'a Store,
    provider: Word,
    key: &'a MoneyKey,
    /// The cell's UTC day.
    day: NaiveDate,
}

impl Contracts<'_> {
    fn in_force(&self) -> Option<&ContractRate> {
        let day = source_day(self.provider, self.day, self.key.slot);
        ContractRate::in_force(&self.settings.contracts, self.store.id, self.provider, self.key.method, day)
    }
}

/// What a cell adds to the ladder; `None` when it is not of the feeds that count.
fn ladder_of(key: &MoneyKey, sums: &MoneySums, basis: Basis, contracts: &Contracts<'_>) -> Option<Ladder> {
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
            ladder.fees = payment_fees(key, sums, contracts);
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

fn payment_fees(key: &MoneyKey, sums: &MoneySums, contracts: &Contracts<'_>) -> FeeSums {
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
    } else if let Some(rate) = contracts.in_force() {
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
    first: NaiveDate,
    days: usize,
    last_found: usize,
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
    fn of(view: &View, query: &Query, spans: &[Span]) -> Self {
        let needed: Vec<_> = spans.iter().map(|span| (span.store, utc_days_around(span))).collect();
        let all = || needed.iter().flat_map(|(_, ranges)| ranges.iter());
        let first = all().map(|(from, _)| *from).min().unwrap_or_default();
        let last = all().map(|(_, until)| *until).max().unwrap_or_default();
        // A day more: Beijing's day of the last UTC day's evening.
        let days = usize::try_from((last - first).num_days()).unwrap_or(0) + 2;
        let mut accounts = Self { known: Vec::new(), first, days, last_found: 0 };
        for (store, ranges) in &needed {
            let Some(shop) = query.stores.get(*store) else { continue };
            for (_, day, block) in blocks_of(view, shop) {
                if !ranges.iter().any(|(from, until)| *from <= day && day <= *until) {
                    continue;
                }
                for (key, _) in block.coarse_money() {
                    accounts.note(*store, key, day);
                }
            }
        }
        accounts.join();
        accounts
    }

    fn note(&mut self, store: usize, key: &MoneyKey, day: NaiveDate) {
        let counts = match key.feed {
            Feed::Live => true,
            Feed::Ledger => key.kind == MoneyKind::Payment,
        };
        let provider = provider_of(key);
        let found = self.find(store, provider, key.account);
        let offset = self.offset(provider, day, key.slot);
        let Some(account) = self.known.get_mut(found).filter(|_| counts) else { return };
        let marks = if key.feed == Feed::Live { &mut account.live } else { &mut account.billed };
        if let Some(mark) = offset.and_then(|offset| marks.get_mut(offset)) {
            *mark = true;
        }
    }

    /// Days from `first` to the source day of a cell.
    fn offset(&self, provider: Word, day: NaiveDate, slot: Slot) -> Option<usize> {
        let days = day.num_days_from_ce() - self.first.num_days_from_ce();
        usize::try_from(days + i32::from(next_day_in_beijing(provider, slot))).ok()
    }

    /// The account's index; a new one is added. Neighbouring cells mostly share an account.
    fn find(&mut self, store: usize, provider: Word, name: Word) -> usize {
        let same = |account: &Account| {
            account.store == store && account.provider == provider && account.name == name
        };
        if self.known.get(self.last_found).is_some_and(same) {
            return self.last_found;
        }
        self.last_found = self.known.iter().position(same).unwrap_or_else(|| {
            let none = vec![false; self.days];
            self.known.push(Account { store, provider, name, live: none.clone(), billed: none });
            self.known.len() - 1
        });
        self.last_found
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

    fn basis(&self, account: usize, day: NaiveDate, slot: Slot, cut: bool) -> Basis {
        let account = self.known.get(account);
        let offset = account.and_then(|account| self.offset(account.provider, day, slot));
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
        movements(view, query, settings, &spans, Detail::Asked, |movement| {
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
