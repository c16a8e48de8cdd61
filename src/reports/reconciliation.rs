//! What should have arrived (应到账), what has, what is in transit and what is late; how far the shop's records and the
//! bills agree.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;

use crate::analytics::reconciliation::{
    AccountSum, Arrival, Arrivals, Arrived, Class, DayBooks, Finding, Rules, Tally, arrivals, payouts_of,
    summarise,
};
use crate::domain::{Currency, Instant, RecordKey, StoreId, Word};

/// Upper ends of the ages of exceptions, in days; the last is open.
pub const AGES: [i64; 3] = [1, 3, 7];

/// Everything a report is made from. The books hold the days asked for and those around them that bank lines lie on.
#[derive(Clone, Debug)]
pub struct Asked<'a> {
    pub books: &'a [DayBooks],
    pub rules: &'a Rules,
    pub stores: &'a [StoreId],
    /// Both included.
    pub days: (NaiveDate, NaiveDate),
    pub now: Instant,
    pub today: NaiveDate,
}

/// One account with its way to the bank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountRow {
    pub sum: AccountSum,
    /// 应到账; `None` without bills.
    pub expected: Option<i128>,
    /// `None` where no payout is known.
    pub paid_out: Option<i128>,
    /// `None` where no payout is known, or no bank statement was ever there.
    pub arrived: Option<i128>,
    pub in_transit: Option<i128>,
    pub late: Option<i128>,
}

/// Exceptions by age: count and money at stake.
pub type Ages = [(u64, i128); 4];

/// A day as parts of one whole, by money.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DayParts {
    pub matched: i128,
    /// Explained: on another day, under way, within tolerance, settled by hand.
    pub explained: i128,
    /// No bill, or none yet.
    pub unbilled: i128,
    pub exceptions: i128,
    /// Shop less bills, where there are bills.
    pub difference: Option<i128>,
    pub count: u64,
}

/// One currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    pub currency: Currency,
    pub accounts: Vec<AccountRow>,
    pub days: BTreeMap<NaiveDate, DayParts>,
    pub ages: Ages,
    /// Exceptions: count, money, first day.
    pub exceptions: (u64, i128),
    pub oldest: Option<NaiveDate>,
    /// Days of which a bill is overdue, by account.
    pub missing_bills: u64,
    pub expected: Option<i128>,
    pub arrived: Option<i128>,
    pub in_transit: Option<i128>,
    pub late: Option<i128>,
}

/// The report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reconciliation {
    pub sections: Vec<Section>,
    pub payouts: Vec<Arrived>,
    pub unexplained: usize,
    pub bank_until: Option<NaiveDate>,
}

/// Makes the report.
pub fn reconciliation(asked: &Asked) -> Reconciliation {
    let within = |day: NaiveDate| asked.days.0 <= day && day <= asked.days.1;
    let books: Vec<DayBooks> = asked.books.iter().filter(|books| within(books.day)).cloned().collect();
    let Arrivals { payouts, unexplained, bank_until } = arrivals_of(asked);
    let payouts: Vec<Arrived> = payouts
        .into_iter()
        .filter(|one| within(one.payout.day) && asked.stores.contains(&one.payout.store))
        .collect();
    let sums = summarise(&books, asked.stores, asked.now);
    let currencies: BTreeSet<Currency> =
        sums.iter().map(|sum| sum.currency).chain(payouts.iter().map(|one| one.payout.currency)).collect();
    let sections = currencies
        .into_iter()
        .map(|currency| section(asked, currency, (&books, &sums), (&payouts, bank_until)))
        .collect();
    let here = |line: &&crate::analytics::reconciliation::BankLine| {
        within(line.day) && asked.stores.contains(&line.store)
    };
    let unexplained = unexplained.iter().filter(here).count();
    Reconciliation { sections, payouts, unexplained, bank_until }
}

fn arrivals_of(asked: &Asked) -> Arrivals {
    let lines = asked.books.iter().flat_map(|books| books.bank.iter().cloned()).collect();
    arrivals(payouts_of(asked.books, asked.rules), lines, asked.rules, asked.today)
}

fn section(
    asked: &Asked,
    currency: Currency,
    (books, sums): (&[DayBooks], &[AccountSum]),
    (payouts, bank_until): (&[Arrived], Option<NaiveDate>),
) -> Section {
    let accounts: Vec<AccountRow> = sums
        .iter()
        .filter(|sum| sum.currency == currency)
        .map(|sum| account_row(sum, payouts, bank_until))
        .collect();
    let total = |of: fn(&AccountRow) -> Option<i128>| -> Option<i128> {
        let known: Vec<i128> = accounts.iter().filter_map(of).collect();
        (!known.is_empty()).then(|| known.iter().sum())
    };
    let (ages, oldest) = ages(asked, books, currency);
    let exceptions = accounts.iter().map(|row| row.sum.exceptions());
    Section {
        currency,
        days: day_parts(asked, books, currency),
        ages,
        exceptions: exceptions.fold((0, 0), |all, one| (all.0 + one.0, all.1 + one.1)),
        oldest,
        missing_bills: missing_bills(asked, books, currency),
        expected: total(|row| row.expected),
        arrived: total(|row| row.arrived),
        in_transit: total(|row| row.in_transit),
        late: total(|row| row.late),
        accounts,
    }
}

fn account_row(sum: &AccountSum, payouts: &[Arrived], bank_until: Option<NaiveDate>) -> AccountRow {
    let own: Vec<&Arrived> = payouts
        .iter()
        .filter(|one| {
            let of = &one.payout;
            (of.store, of.rail, of.account, of.currency) == (sum.store, sum.rail, sum.account, sum.currency)
        })
        .collect();
    let known = !own.is_empty();
    let add = |wanted: &dyn Fn(&&&Arrived) -> bool| -> i128 {
        own.iter().filter(wanted).map(|one| one.payout.minor - one.came.unwrap_or(0)).sum()
    };
    let at_bank = known && bank_until.is_some();
    AccountRow {
        expected: (sum.days_with_bill > 0).then_some(sum.net),
        paid_out: known.then(|| own.iter().map(|one| one.payout.minor).sum()),
        arrived: at_bank.then(|| own.iter().filter_map(|one| one.came).sum()),
        in_transit: known.then(|| add(&|one| one.arrival == Arrival::InTransit)),
        late: at_bank.then(|| add(&|one| matches!(one.arrival, Arrival::Missing | Arrival::Differs))),
        sum: sum.clone(),
    }
}

/// Findings that somebody has to look into, in these stores and this currency.
fn exceptions<'a>(
    asked: &'a Asked,
    books: &'a [DayBooks],
    currency: Currency,
) -> impl Iterator<Item = (NaiveDate, &'a Finding)> {
    books.iter().flat_map(|books| books.findings.iter().map(|one| (books.day, one))).filter(
        move |(_, finding)| {
            finding.currency == currency
                && asked.stores.contains(&finding.store)
                && finding.class_at(asked.now).is_exception()
        },
    )
}

/// Which of [`Ages`] a day belongs to.
pub fn age_of(day: NaiveDate, today: NaiveDate) -> usize {
    let age = (today - day).num_days();
    AGES.iter().position(|most| age <= *most).unwrap_or(AGES.len())
}

fn ages(asked: &Asked, books: &[DayBooks], currency: Currency) -> (Ages, Option<NaiveDate>) {
    let mut ages = Ages::default();
    let mut oldest: Option<NaiveDate> = None;
    for (day, finding) in exceptions(asked, books, currency) {
        if let Some(age) = ages.get_mut(age_of(day, asked.today)) {
            age.0 += 1;
            age.1 += finding.stake();
        }
        oldest = Some(oldest.map_or(day, |oldest| oldest.min(day)));
    }
    (ages, oldest)
}

fn day_parts(asked: &Asked, books: &[DayBooks], currency: Currency) -> BTreeMap<NaiveDate, DayParts> {
    let mut days = BTreeMap::new();
    for own in books {
        let sums = summarise(std::slice::from_ref(own), asked.stores, asked.now);
        let mut parts = DayParts::default();
        let mut any = false;
        for sum in sums.iter().filter(|sum| sum.currency == currency) {
            any = any || sum.shop.count + sum.bill.count > 0;
            parts.matched += sum.matched.minor.abs();
            if let Some(difference) = sum.difference() {
                parts.difference = Some(parts.difference.unwrap_or(0) + difference);
            }
            for (class, one) in &sum.classes {
                match class {
                    Class::OwnBook => {}
                    Class::NoBill | Class::NotYetDue => parts.unbilled += one.stake,
                    class if class.is_exception() => {
                        parts.exceptions += one.stake;
                        parts.count += one.count;
                    }
                    _ => parts.explained += one.stake,
                }
            }
        }
        if any {
            days.insert(own.day, parts);
        }
    }
    days
}

/// Account days with records of the shop whose bill should have been there, of providers that have bills at all.
fn missing_bills(asked: &Asked, books: &[DayBooks], currency: Currency) -> u64 {
    let all = asked.books.iter().flat_map(|own| &own.buckets);
    let with_bills: BTreeSet<Word> = all.filter(|one| one.has_bill).map(|one| one.rail).collect();
    let mut days: BTreeSet<(NaiveDate, Word, Word)> = BTreeSet::new();
    for own in books {
        for bucket in own.buckets.iter().filter(|bucket| asked.stores.contains(&bucket.store)) {
            let overdue = own.bill_due(bucket).is_some_and(|due| due <= asked.now);
            let lacks = !bucket.has_bill && bucket.shop.count > 0 && with_bills.contains(&bucket.rail);
            if bucket.currency == currency && lacks && overdue {
                days.insert((own.day, bucket.rail, bucket.account));
            }
        }
    }
    u64::try_from(days.len()).unwrap_or(u64::MAX)
}

/// Which findings a list shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FindingFilter {
    /// Empty: everything that somebody has to look into.
    pub class: Option<Class>,
    pub rail: Option<Word>,
    pub currency: Option<Currency>,
    /// At least so many days old.
    pub age_days: i64,
    /// At least so much at stake, in minor units.
    pub least: i128,
    /// Only this day.
    pub day: Option<NaiveDate>,
}

/// Findings in the order in which somebody should look at them: most money first, of one currency after the other, then
/// the oldest.
pub fn findings<'a>(asked: &'a Asked<'a>, filter: &FindingFilter) -> Vec<(NaiveDate, &'a Finding)> {
    let mut found: Vec<(NaiveDate, &Finding)> = asked
        .books
        .iter()
        .filter(|books| asked.days.0 <= books.day && books.day <= asked.days.1)
        .flat_map(|books| books.findings.iter().map(|one| (books.day, one)))
        .filter(|(day, finding)| {
            let class = finding.class_at(asked.now);
            asked.stores.contains(&finding.store)
                && filter.class.map_or_else(|| class.is_exception(), |wanted| wanted == class)
                && filter.rail.is_none_or(|wanted| wanted == finding.rail)
                && filter.currency.is_none_or(|wanted| wanted == finding.currency)
                && filter.day.is_none_or(|wanted| wanted == *day)
                && (asked.today - *day).num_days() >= filter.age_days
                && finding.stake() >= filter.least
        })
        .collect();
    found.sort_by_key(|(day, finding)| {
        (finding.currency, std::cmp::Reverse(finding.stake()), *day, finding.id)
    });
    found
}

/// A finding by its number, with its day.
pub fn find(books: &[DayBooks], id: RecordKey) -> Option<(NaiveDate, &Finding)> {
    let all = books.iter().flat_map(|books| books.findings.iter().map(|one| (books.day, one)));
    all.into_iter().find(|(_, finding)| finding.id == id)
}

/// What changed since a period was closed: the sum as it was and as it is, where they differ.
pub fn corrections(then: &[AccountSum], now: &[AccountSum]) -> Vec<(Option<AccountSum>, Option<AccountSum>)> {
    let place = |sum: &AccountSum| (sum.store, sum.rail, sum.account, sum.currency);
    let before: BTreeMap<_, &AccountSum> = then.iter().map(|sum| (place(sum), sum)).collect();
    let after: BTreeMap<_, &AccountSum> = now.iter().map(|sum| (place(sum), sum)).collect();
    let places: BTreeSet<_> = before.keys().chain(after.keys()).copied().collect();
    places
        .into_iter()
        .map(|place| (before.get(&place).copied(), after.get(&place).copied()))
        .filter(|(before, after)| before.map(figures) != after.map(figures))
        .map(|(before, after)| (before.cloned(), after.cloned()))
        .collect()
}

/// What makes a sum another one: time alone, which turns "not yet due" into "missing", does not.
const fn figures(sum: &AccountSum) -> ([Tally; 3], [i128; 3]) {
    ([sum.shop, sum.bill, sum.matched], [sum.fees, sum.movements, sum.net])
}
