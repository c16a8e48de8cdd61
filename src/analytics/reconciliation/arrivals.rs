//! Payouts against the lines of the bank: ids first, then the store's own words for a provider with equal amounts; an
//! equal amount alone is a suggestion and never counted.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{Datelike, NaiveDate};
use serde::{Deserialize, Serialize};

use crate::domain::{Currency, RecordKey, StoreId, Word};

use super::books::{Bucket, DayBooks, NamedAccounts};
use super::entry::ANY_ACCOUNT;
use super::rules::{AccountRules, Rules};

/// A bank line may come so many days after it was due and still be found by the provider's words.
const LATE_DAYS_MAX: i32 = 10;
/// One bank line may hold the payouts of so many days, found by their sum.
const TOGETHER_MAX: usize = 12;
/// Shorter ids are found in too many texts.
const ID_CHARS_MIN: usize = 6;

/// How a payout is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PayoutSource {
    /// A line of a bill says so.
    Line,
    /// The lines that name it, added up.
    Lines,
    /// A bill's net of one day: what a provider pays out by itself.
    Net,
}

/// Money on its way from a provider's balance to the bank.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payout {
    pub key: RecordKey,
    pub store: StoreId,
    pub rail: Word,
    pub account: Word,
    pub currency: Currency,
    pub day: NaiveDate,
    /// What should arrive.
    pub minor: i128,
    pub payout_id: String,
    pub source: PayoutSource,
}

/// A line of a bank statement that belongs to no payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BankLine {
    pub key: RecordKey,
    pub store: StoreId,
    pub account: Word,
    pub currency: Currency,
    pub day: NaiveDate,
    pub at_ms: i64,
    /// More than 0 arrived.
    pub minor: i128,
    pub ids: Vec<String>,
    pub text: String,
}

/// What became of a payout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Arrival {
    Arrived,
    /// Other than it should be.
    Differs,
    /// Not at the bank, and not due yet (or no statement of that day yet).
    InTransit,
    /// Due, a statement of that day is there, and it is not on it.
    Missing,
}

impl Arrival {
    /// The word in keys of texts.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Arrived => "arrived",
            Self::Differs => "differs",
            Self::InTransit => "in_transit",
            Self::Missing => "missing",
        }
    }
}

/// A payout with what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrived {
    pub payout: Payout,
    pub due: NaiveDate,
    pub arrival: Arrival,
    /// What came, where something did.
    pub came: Option<i128>,
    pub on: Option<NaiveDate>,
    /// After the day on which it was due.
    pub days_late: i64,
    /// Bank lines it was found on.
    pub lines: Vec<RecordKey>,
    /// A bank line of the same amount in the same days: only a suggestion.
    pub suggestion: Option<RecordKey>,
}

/// Payouts, and bank lines that name a provider but belong to none of its payouts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arrivals {
    pub payouts: Vec<Arrived>,
    pub unexplained: Vec<BankLine>,
    /// The youngest day of any bank statement.
    pub bank_until: Option<NaiveDate>,
}

/// Finds the bank lines of payouts.
pub fn arrivals(
    mut payouts: Vec<Payout>,
    mut lines: Vec<BankLine>,
    rules: &Rules,
    today: NaiveDate,
) -> Arrivals {
    payouts.retain(|payout| payout.minor != 0);
    payouts.sort_by_key(|payout| (payout.day, payout.key));
    lines.sort_by_key(|line| (line.at_ms, line.key));
    let bank_until = lines.iter().map(|line| line.day).max();
    let own: Vec<AccountRules> =
        payouts.iter().map(|one| rules.of(one.store, one.rail, one.account)).collect();
    let mut work = Work {
        due: payouts.iter().zip(&own).map(|(one, own)| own.due(one.day)).collect(),
        own,
        found: payouts.iter().map(|_| None).collect(),
        used: vec![false; lines.len()],
        payouts,
        lines,
        rules,
    };
    work.by_id();
    work.by_words();
    let suggestions = work.suggestions();
    work.result(suggestions, bank_until, today)
}

struct Found {
    lines: Vec<usize>,
    came: i128,
}

struct Work<'a> {
    payouts: Vec<Payout>,
    lines: Vec<BankLine>,
    /// The rules of each payout's account.
    own: Vec<AccountRules>,
    due: Vec<NaiveDate>,
    found: Vec<Option<Found>>,
    used: Vec<bool>,
    rules: &'a Rules,
}

impl Work<'_> {
    /// Payouts named by a line's ids or in its text. A line may name several, and a payout stand on several lines: those
    /// that hang together are one sum.
    fn by_id(&mut self) {
        let mut named: HashMap<&str, Vec<usize>> = HashMap::new();
        for (place, payout) in self.payouts.iter().enumerate() {
            if payout.payout_id.len() >= ID_CHARS_MIN {
                named.entry(&payout.payout_id).or_default().push(place);
            }
        }
        let mut of_line: Vec<BTreeSet<usize>> = Vec::with_capacity(self.lines.len());
        for line in &self.lines {
            let words = line.text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-'));
            let said = line.ids.iter().map(String::as_str).chain(words);
            let payouts = said.filter_map(|word| named.get(word)).flatten().copied();
            let same = |place: &usize| self.payouts[*place].currency == line.currency;
            of_line.push(payouts.filter(same).collect());
        }
        let mut lines_of: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (line, payouts) in of_line.iter().enumerate() {
            for payout in payouts {
                lines_of.entry(*payout).or_default().push(line);
            }
        }
        for start in 0..self.payouts.len() {
            if self.found[start].is_some() || !lines_of.contains_key(&start) {
                continue;
            }
            let (payouts, lines) = hanging_together(start, &lines_of, &of_line);
            self.settle(&payouts, &lines);
        }
    }

    /// Lines in which the bank's text names the provider of an account: one payout, those of one due day, or those of
    /// the oldest days, whichever sum is equal.
    fn by_words(&mut self) {
        for line in 0..self.lines.len() {
            if self.used[line] || self.lines[line].minor <= 0 {
                continue;
            }
            let wanted = self.lines[line].minor;
            let places = self.candidates(line);
            if let Some(payouts) = self.equal_sum(&places, wanted) {
                self.settle(&payouts, &[line]);
            }
        }
    }

    /// Payouts that this line may be for, oldest first.
    fn candidates(&self, line: usize) -> Vec<usize> {
        let bank = &self.lines[line];
        (0..self.payouts.len())
            .filter(|place| {
                let payout = &self.payouts[*place];
                let days = bank.day.num_days_from_ce() - self.due[*place].num_days_from_ce();
                self.found[*place].is_none()
                    && payout.currency == bank.currency
                    && payout.day <= bank.day
                    && days <= LATE_DAYS_MAX
                    && names(&self.own[*place], bank)
            })
            .collect()
    }

    fn equal_sum(&self, places: &[usize], wanted: i128) -> Option<Vec<usize>> {
        if let Some(one) = places.iter().find(|place| self.payouts[**place].minor == wanted) {
            return Some(vec![*one]);
        }
        let mut by_due: BTreeMap<(NaiveDate, Word, Word), Vec<usize>> = BTreeMap::new();
        for place in places {
            let payout = &self.payouts[*place];
            by_due.entry((self.due[*place], payout.rail, payout.account)).or_default().push(*place);
        }
        let sum = |of: &[usize]| of.iter().map(|place| self.payouts[*place].minor).sum::<i128>();
        if let Some(same_due) = by_due.into_values().find(|of| sum(of) == wanted) {
            return Some(same_due);
        }
        (2..=places.len().min(TOGETHER_MAX))
            .map(|count| &places[..count])
            .find(|of| sum(of) == wanted)
            .map(<[_]>::to_vec)
    }

    /// Notes that these payouts came with these lines. What came is shared out in order; the last takes the rest.
    fn settle(&mut self, payouts: &[usize], lines: &[usize]) {
        let mut left: i128 = lines.iter().map(|line| self.lines[*line].minor).sum();
        for line in lines {
            self.used[*line] = true;
        }
        let last = payouts.last().copied();
        for place in payouts {
            let due = self.payouts[*place].minor;
            let came = if Some(*place) == last { left } else { due.min(left) };
            left -= came;
            self.found[*place] = Some(Found { lines: lines.to_vec(), came });
        }
    }

    fn suggestions(&self) -> Vec<Option<RecordKey>> {
        let mut by_amount: HashMap<(i128, Currency), Vec<usize>> = HashMap::new();
        for (place, line) in self.lines.iter().enumerate().filter(|(place, _)| !self.used[*place]) {
            by_amount.entry((line.minor, line.currency)).or_default().push(place);
        }
        let suggest = |(place, payout): (usize, &Payout)| {
            let lines = by_amount.get(&(payout.minor, payout.currency))?;
            let near = |line: &&usize| {
                let day = self.lines[**line].day;
                let late = day.num_days_from_ce() - self.due[place].num_days_from_ce();
                day >= payout.day && late <= LATE_DAYS_MAX
            };
            let mut near = lines.iter().filter(near);
            let only = near.next().filter(|_| self.found[place].is_none())?;
            near.next().is_none().then(|| self.lines[*only].key)
        };
        self.payouts.iter().enumerate().map(suggest).collect()
    }

    fn result(
        self,
        suggestions: Vec<Option<RecordKey>>,
        bank_until: Option<NaiveDate>,
        today: NaiveDate,
    ) -> Arrivals {
        let unexplained = self.unexplained();
        let Self { payouts, lines, due, found, own, .. } = self;
        let payouts = payouts
            .into_iter()
            .zip(due.into_iter().zip(own))
            .zip(found.into_iter().zip(suggestions))
            .map(|((payout, (due, own)), (found, suggestion))| {
                let on =
                    found.as_ref().and_then(|found| found.lines.iter().map(|line| lines[*line].day).max());
                let came = found.as_ref().map(|found| found.came);
                let arrival = match came {
                    Some(came) if own.tolerates(payout.minor - came, payout.minor) => Arrival::Arrived,
                    Some(_) => Arrival::Differs,
                    None if due < today && bank_until.is_some_and(|until| due <= until) => Arrival::Missing,
                    None => Arrival::InTransit,
                };
                let until = match arrival {
                    Arrival::Missing => Some(today),
                    _ => on,
                };
                let days_late = until.map_or(0, |until| (until - due).num_days().max(0));
                let keys = found.map(|found| found.lines.iter().map(|line| lines[*line].key).collect());
                Arrived {
                    payout,
                    due,
                    arrival,
                    came,
                    on,
                    days_late,
                    lines: keys.unwrap_or_default(),
                    suggestion,
                }
            })
            .collect();
        Arrivals { payouts, unexplained, bank_until }
    }

    /// Money that came with a provider's words and is no payout's.
    fn unexplained(&self) -> Vec<BankLine> {
        let says = |line: &BankLine| self.rules.accounts.iter().any(|own| names(own, line));
        let left = self.lines.iter().zip(&self.used).filter(|(line, used)| !**used && says(line));
        left.map(|(line, _)| line.clone()).collect()
    }
}

/// True when the bank's text says the words of the provider, on the account that it pays into.
fn names(own: &AccountRules, bank: &BankLine) -> bool {
    let into = own.bank_account.is_empty() || own.bank_account == bank.account.as_str();
    !own.bank_text.is_empty() && into && bank.text.contains(&own.bank_text)
}

/// All payouts and lines that are connected with a payout.
fn hanging_together(
    start: usize,
    lines_of: &BTreeMap<usize, Vec<usize>>,
    of_line: &[BTreeSet<usize>],
) -> (Vec<usize>, Vec<usize>) {
    let (mut payouts, mut lines) = (BTreeSet::from([start]), BTreeSet::new());
    let mut waiting = vec![start];
    while let Some(payout) = waiting.pop() {
        for line in lines_of.get(&payout).into_iter().flatten() {
            if lines.insert(*line) {
                waiting.extend(of_line[*line].iter().filter(|other| payouts.insert(**other)));
            }
        }
    }
    (payouts.into_iter().collect(), lines.into_iter().collect())
}

/// The payouts of some days: as bills say them, added up from the lines that name them, or, for an account whose bank
/// words are known and whose bills name no payout, the net of each day.
pub fn payouts_of(books: &[DayBooks], rules: &Rules) -> Vec<Payout> {
    let mut said: BTreeSet<(Word, Word)> = BTreeSet::new();
    let mut lines: BTreeMap<(Word, Word, Currency, String), Payout> = BTreeMap::new();
    let mut payouts: Vec<Payout> = Vec::new();
    let named = NamedAccounts::of(books);
    for payout in books.iter().flat_map(|day| &day.payouts) {
        // Statements of the balance name no merchant number: it is that of the trade bill, where there is one.
        let account = named.only(payout.store, payout.rail, payout.account);
        let payout = &Payout { account, ..payout.clone() };
        said.insert((payout.rail, payout.account));
        let place = (payout.rail, payout.account, payout.currency, payout.payout_id.clone());
        match payout.source {
            PayoutSource::Line => payouts.push(payout.clone()),
            PayoutSource::Lines | PayoutSource::Net => {
                let sum = lines.entry(place).or_insert_with(|| Payout { minor: 0, ..payout.clone() });
                sum.minor += payout.minor;
                sum.day = sum.day.max(payout.day);
            }
        }
    }
    let stated: BTreeSet<&str> = payouts.iter().map(|payout| payout.payout_id.as_str()).collect();
    let added: Vec<Payout> =
        lines.into_values().filter(|payout| !stated.contains(payout.payout_id.as_str())).collect();
    payouts.extend(added);
    // Stores that share a merchant number are paid together.
    let mut nets: BTreeMap<NetPlace, i128> = BTreeMap::new();
    for (day, bucket) in books.iter().flat_map(|books| books.buckets.iter().map(|bucket| (books.day, bucket)))
    {
        if let Some(own) = paid_by_words(rules, bucket)
            && !said.contains(&(bucket.rail, bucket.account))
        {
            *nets.entry((day, own.store, bucket.rail, bucket.account, bucket.currency)).or_default() +=
                bucket.net;
        }
    }
    payouts.extend(nets.into_iter().map(net_payout));
    payouts
}

/// A day's net of an account.
type NetPlace = (NaiveDate, StoreId, Word, Word, Currency);

/// The rules by which the bank's text tells money of this account.
fn paid_by_words<'a>(rules: &'a Rules, bucket: &Bucket) -> Option<&'a AccountRules> {
    rules.accounts.iter().find(|own| {
        let named = own.account == bucket.account;
        let any = own.account.as_str() == ANY_ACCOUNT && own.store == bucket.store;
        own.rail == bucket.rail && (named || any) && !own.bank_text.is_empty()
    })
}

fn net_payout(((day, store, rail, account, currency), minor): (NetPlace, i128)) -> Payout {
    Payout {
        key: RecordKey::of(store, account.as_str(), rail.as_str(), currency.code(), day),
        store,
        rail,
        account,
        currency,
        day,
        minor,
        payout_id: String::new(),
        source: PayoutSource::Net,
    }
}
