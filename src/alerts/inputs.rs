//! Fills the detectors' inputs from a snapshot.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{NaiveDate, TimeDelta};

use crate::analytics::{Blocks, Detail, Feed, Level, MoneyKind, Packed, Snapshot, Unit, Wanted};
use crate::domain::{ContractRate, Currency, Instant, Range, Store, StoreId, Stream, Word};

use super::bills::{Bills, bill_zone};
use super::fees::{FeeDay, Fees};
use super::series::{HISTORY_DAYS, HourCell, Series, Ticket, WINDOW_HOURS_MAX, hour_of, hour_start};
use super::{Inputs, Scope};

/// Days of a snapshot that are read: the baseline's, the longest window, the replay and a rest; fees look further back.
const DAYS_READ: i64 = HISTORY_DAYS + 7;
const FEE_DAYS_READ: i64 = 62;

/// What the detectors need besides the snapshot.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    pub stores: Vec<Store>,
    pub contracts: Vec<ContractRate>,
    /// Accounts whose records come by file: nothing of theirs is live, so their silence means nothing.
    pub by_file: BTreeSet<(StoreId, Word)>,
    /// Known episodes: their spans never count as usual.
    pub episodes: Vec<(Scope, Range)>,
}

/// The blocks that [`gather`] reads.
pub fn blocks_wanted(sources: &Sources, at: Instant) -> Vec<Wanted> {
    let (first, last) = days_read(DAYS_READ.max(FEE_DAYS_READ), at);
    let of = |store: &Store| Wanted { level: Level::Hours, owner: store.id.into(), first, last };
    sources.stores.iter().map(of).collect()
}

/// First and last UTC day of so many days up to `at`.
fn days_read(days: i64, at: Instant) -> (NaiveDate, NaiveDate) {
    ((at - TimeDelta::days(days)).date_naive(), (at + TimeDelta::hours(1)).date_naive())
}

/// Gathers everything that can be judged up to `at`, from the blocks of [`blocks_wanted`].
pub fn gather(snapshot: &Snapshot, blocks: &Blocks, sources: &Sources, at: Instant) -> Inputs {
    let mut inputs = Inputs::default();
    for store in &sources.stores {
        let read = |days: i64| {
            let (first, last) = days_read(days, at);
            blocks.days(Level::Hours, store.id.into(), first, last)
        };
        let mut cells = Cells::default();
        for (day, block) in read(DAYS_READ) {
            cells.add(day, block);
        }
        gather_series(&mut inputs, snapshot, sources, store, cells, at);
        let mut money = MoneyCells::default();
        for (day, block) in read(FEE_DAYS_READ) {
            money.add(day, block, store, &sources.contracts);
        }
        money.into_inputs(&mut inputs, store);
    }
    inputs
}

/// Hourly cells by provider, and what paid orders were worth.
#[derive(Default)]
struct Cells {
    hours: BTreeMap<Word, BTreeMap<i64, HourCell>>,
    refunders: BTreeMap<(i64, Word), i64>,
    /// Accounts of the live feed by provider.
    accounts: BTreeMap<Word, BTreeSet<Word>>,
    /// Paid groups and amount by provider and currency.
    paid: BTreeMap<Word, BTreeMap<Word, (i64, i128)>>,
}

impl Cells {
    fn add(&mut self, day: NaiveDate, block: &Packed) {
        block.conversion(Detail::Coarse, |_, key, sums| {
            let hour = hour_of(key.slot.starts_at(day));
            let cell = self.hours.entry(key.provider).or_default().entry(hour).or_default();
            match key.unit {
                Unit::Payment => cell.intents += sums.started,
                Unit::AttemptGroup => {
                    cell.started += sums.started;
                    cell.paid += sums.paid;
                    cell.open += sums.open;
                    cell.abandoned += sums.abandoned;
                    let paid = self.paid.entry(key.provider).or_default().entry(key.currency).or_default();
                    paid.0 += sums.paid;
                    paid.1 += sums.paid_amount;
                }
            }
        });
        // Cashiers are only in the full cells.
        block.money(Detail::Full, |_, key, sums| {
            if key.feed != Feed::Live {
                return;
            }
            self.accounts.entry(key.provider).or_default().insert(key.account);
            if key.kind == MoneyKind::Refund {
                let hour = hour_of(key.slot.starts_at(day));
                let cell = self.hours.entry(key.provider).or_default().entry(hour).or_default();
                cell.refunds += sums.count;
                cell.refund_amount += sums.amount;
                if !key.operator.is_none() {
                    *self.refunders.entry((hour, key.operator)).or_default() += sums.count;
                }
            }
        });
    }
}

fn gather_series(
    inputs: &mut Inputs,
    snapshot: &Snapshot,
    sources: &Sources,
    store: &Store,
    cells: Cells,
    at: Instant,
) {
    let last = hour_of(at);
    let first = last - (HISTORY_DAYS + 1) * 24 - WINDOW_HOURS_MAX * 3;
    let empty = || Series {
        zone: store.zone,
        first_hour: first,
        cells: vec![HourCell::default(); usize::try_from(last - first + 1).unwrap_or(0)],
        ticket: None,
        last_order: None,
        refunders: BTreeMap::new(),
        masked: Vec::new(),
    };
    let mut whole = empty();
    whole.refunders = cells.refunders;
    for (provider, hours) in cells.hours {
        let accounts = cells.accounts.get(&provider);
        let by_file = |account: &Word| sources.by_file.contains(&(store.id, *account));
        if accounts.is_some_and(|accounts| accounts.iter().all(by_file)) {
            continue;
        }
        let mut series = empty();
        for (hour, cell) in hours {
            let index = usize::try_from(hour - first).ok().filter(|index| *index < series.cells.len());
            let Some(index) = index else { continue };
            series.cells[index] = cell;
            whole.cells[index] = merged(whole.cells[index], cell);
        }
        series.ticket = cells.paid.get(&provider).and_then(ticket);
        series.last_order =
            snapshot.freshness.get(&(store.id, Stream::Transactions, provider)).map(|known| known.last_event);
        series.masked = masked(sources, store.id, provider);
        inputs.series.insert((store.id, provider), series);
    }
    whole.ticket = ticket(&cells.paid.values().flatten().fold(
        BTreeMap::new(),
        |mut sums: BTreeMap<Word, (i64, i128)>, (currency, paid)| {
            let sum = sums.entry(*currency).or_default();
            sum.0 += paid.0;
            sum.1 += paid.1;
            sums
        },
    ));
    whole.masked = masked(sources, store.id, Word::NONE);
    inputs.stores.insert(store.id, whole);
}

fn merged(one: HourCell, other: HourCell) -> HourCell {
    HourCell {
        started: one.started + other.started,
        intents: one.intents + other.intents,
        paid: one.paid + other.paid,
        open: one.open + other.open,
        abandoned: one.abandoned + other.abandoned,
        refunds: one.refunds + other.refunds,
        refund_amount: one.refund_amount + other.refund_amount,
    }
}

/// The average payment, where one currency has nine of ten payments.
fn ticket(paid: &BTreeMap<Word, (i64, i128)>) -> Option<Ticket> {
    let all: i64 = paid.values().map(|(count, _)| count).sum();
    let (code, (count, amount)) = paid.iter().max_by_key(|(_, (count, _))| *count)?;
    let currency = Currency::parse(code).ok()?;
    (*count > 0 && count * 10 >= all * 9).then(|| Ticket { currency, minor: amount / i128::from(*count) })
}

/// Spans of this provider's earlier episodes of payment kinds.
fn masked(sources: &Sources, store: StoreId, provider: Word) -> Vec<Range> {
    sources
        .episodes
        .iter()
        .filter(|(scope, _)| {
            scope.store == Some(store) && scope.provider == provider && scope.kind.is_hourly()
        })
        .map(|(_, span)| *span)
        .collect()
}

/// Fees by provider, feed, currency and day; bill days by provider and account; sales by provider, account and day.
#[derive(Default)]
struct MoneyCells {
    fees: BTreeMap<(Word, Feed, Word), BTreeMap<NaiveDate, FeeDay>>,
    contract_ppm: BTreeMap<Word, i64>,
    bill_days: BTreeMap<(Word, Word), BTreeSet<NaiveDate>>,
    sales: BTreeMap<(Word, Word), BTreeMap<NaiveDate, i128>>,
}

impl MoneyCells {
    fn add(&mut self, day: NaiveDate, block: &Packed, store: &Store, contracts: &[ContractRate]) {
        block.money(Detail::Coarse, |_, key, sums| {
            let zone = bill_zone(key.provider);
            let source_day = hour_start(hour_of(key.slot.starts_at(day))).with_timezone(&zone).date_naive();
            if key.feed == Feed::Ledger {
                self.bill_days.entry((key.provider, key.account)).or_default().insert(source_day);
            } else if key.kind == MoneyKind::Payment {
                let sales = self.sales.entry((key.provider, key.account)).or_default();
                *sales.entry(source_day).or_default() += sums.amount;
            }
            if key.kind != MoneyKind::Payment || sums.fee_known_count == 0 {
                return;
            }
            let rate = ContractRate::in_force(contracts, store.id, key.provider, key.method, source_day);
            let days = self.fees.entry((key.provider, key.feed, key.currency)).or_default();
            let cell =
                days.entry(source_day).or_insert_with(|| FeeDay { contract: Some(0), ..FeeDay::default() });
            cell.count += sums.fee_known_count;
            cell.amount += sums.fee_known_amount;
            cell.charged += sums.fee;
            // One method without a contract, and the day is not judged by contract.
            cell.contract = cell
                .contract
                .zip(rate)
                .map(|(known, rate)| known + rate.fee_of_many(sums.fee_known_count, sums.fee_known_amount));
            if let Some(rate) = rate {
                self.contract_ppm.insert(key.provider, i64::from(rate.rate_ppm));
            }
        });
    }

    fn into_inputs(self, inputs: &mut Inputs, store: &Store) {
        let billed: BTreeSet<Word> =
            self.fees.keys().filter(|(_, feed, _)| *feed == Feed::Ledger).map(|(name, _, _)| *name).collect();
        for ((provider, feed, currency), days) in self.fees {
            let Ok(currency) = Currency::parse(&currency) else { continue };
            // The bill is the provider's own word on its fees; the store's records speak only where there is none.
            if feed == Feed::Live && billed.contains(&provider) {
                continue;
            }
            let contract_ppm = self.contract_ppm.get(&provider).copied();
            let fees = Fees { currency, days, contract_ppm, kept_ppm: None };
            // Several currencies of one provider: the one with most days speaks.
            let known = inputs.fees.entry((store.id, provider)).or_insert_with(|| fees.clone());
            if known.days.len() < fees.days.len() {
                *known = fees;
            }
        }
        for ((provider, account), days) in self.bill_days {
            let sales = self.sales.get(&(provider, account)).cloned();
            let bills = Bills { provider, days, sales, currency: Some(store.currency) };
            inputs.bills.insert((store.id, provider, account), bills);
        }
    }
}
