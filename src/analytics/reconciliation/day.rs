//! One source day of one organisation: rows in, books out. Pure, and the same for the same rows in any order.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{NaiveDate, TimeDelta};

use crate::domain::{Currency, RecordKey, StoreId, Word};

use super::books::{Bucket, Class, Closed, DayBooks, Finding, Tally, Unbalanced};
use super::entry::{ANY_ACCOUNT, BANK, Entry, EntryKind, Standing};
use super::fees::fee_check;
use super::limits::{fees_together, limited};
use super::matching::{Group, Matching};
use super::rules::Rules;

mod apart;
mod left;

/// Records this close to the end of a day may stand in the next day's bill.
const BOUNDARY: TimeDelta = TimeDelta::minutes(30);
/// A day without a bill keeps its records one by one up to so many, else their sum.
pub const UNBILLED_MAX: usize = 50;
/// Open items wait so many days for their other side.
pub const OPEN_DAYS: u64 = 7;

/// The rows of one source day, and what earlier days left open.
#[derive(Clone, Debug, Default)]
pub struct DayRows {
    /// The shop's records: those on which money moved on this day, and those of this day and shortly before on which it
    /// did not. Witnesses of this day too.
    pub shop: Vec<Entry>,
    /// The lines of bills and statements of this day, without witnesses.
    pub lines: Vec<Entry>,
    /// Open findings of earlier days.
    pub open: Vec<Finding>,
}

/// What a day came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DayResult {
    pub books: DayBooks,
    /// Findings of earlier days that this day's rows closed.
    pub closed: Vec<(RecordKey, Closed)>,
}

/// Reconciles one day.
///
/// # Errors
/// [`Unbalanced`] when the parts do not add up to the whole: a fault of ours, nothing may be stored.
pub fn reconcile_day(day: NaiveDate, rows: DayRows, rules: &Rules) -> Result<DayResult, Unbalanced> {
    let mut work = Work::new(day, rows, rules);
    work.matching.run(rules);
    work.find_homes();
    work.count();
    work.groups();
    work.rest_of_shop();
    work.rest_of_bill();
    work.witnesses();
    work.suggest();
    work.apart();
    work.finish()
}

/// Where an entry is counted.
type Home = (StoreId, Word, Word);

struct Work<'a> {
    day: NaiveDate,
    rules: &'a Rules,
    matching: Matching,
    witnesses: Vec<Entry>,
    /// Lines that no record of the shop answers to: fees, movements, payouts.
    others: Vec<Entry>,
    /// Open findings of earlier days by the key of their one side.
    open: HashMap<RecordKey, Finding>,
    shop_home: Vec<Option<Home>>,
    bill_home: Vec<Option<Home>>,
    /// Fee charged less fee expected, by line.
    fee_off: Vec<i128>,
    billed: Billed,
    buckets: BTreeMap<(StoreId, Word, Word, Currency), Bucket>,
    findings: Vec<Finding>,
    closed: Vec<(RecordKey, Closed)>,
}

/// Which accounts have a bill of this day.
#[derive(Default)]
struct Billed {
    by_store: BTreeMap<(StoreId, Word), BTreeSet<Word>>,
    by_rail: BTreeMap<Word, BTreeSet<Word>>,
}

impl Billed {
    fn of(lines: &[Entry]) -> Self {
        let mut billed = Self::default();
        // A statement of the balance has fees and payouts too: only sales, refunds and disputes tell of a trade bill.
        for line in lines.iter().filter(|line| line.kind.is_compared() && line.rail.as_str() != BANK) {
            billed.by_store.entry((line.store, line.rail)).or_default().insert(line.account);
            billed.by_rail.entry(line.rail).or_default().insert(line.account);
        }
        billed
    }

    /// The account in whose bill a record should stand; `None` when there is no such bill.
    fn account_of(&self, record: &Entry) -> Option<Word> {
        let named = record.account.as_str() != ANY_ACCOUNT && !record.account.is_none();
        let in_rail = self.by_rail.get(&record.rail)?;
        if named {
            let shared = in_rail.len() == 1 && in_rail.iter().any(|account| account.as_str() == ANY_ACCOUNT);
            return (in_rail.contains(&record.account) || shared).then_some(record.account);
        }
        let own = self.by_store.get(&(record.store, record.rail)).unwrap_or(in_rail);
        let only = own.first().filter(|_| own.len() == 1);
        Some(only.copied().unwrap_or_else(|| Word::of(ANY_ACCOUNT)))
    }
}

impl<'a> Work<'a> {
    fn new(day: NaiveDate, rows: DayRows, rules: &'a Rules) -> Self {
        let DayRows { shop, lines, open } = rows;
        let billed = Billed::of(&lines);
        let taken = |entry: &Entry| rules.takes(entry);
        let (witnesses, mut shop): (Vec<_>, Vec<_>) =
            shop.into_iter().filter(taken).partition(|entry| entry.witness);
        let (mut bill, others): (Vec<_>, Vec<_>) =
            lines.into_iter().filter(taken).partition(|entry| entry.kind.is_compared());
        let mut by_key = HashMap::new();
        for finding in open.into_iter().filter(Finding::is_open) {
            let (side, entry) = match (&finding.shop, &finding.bill) {
                (Some(entry), None) => (&mut shop, entry.clone()),
                (None, Some(entry)) => (&mut bill, entry.clone()),
                _ => continue,
            };
            by_key.insert(entry.key, finding);
            side.push(entry);
        }
        Self {
            day,
            rules,
            matching: Matching::new(shop, bill),
            witnesses,
            others,
            open: by_key,
            shop_home: Vec::new(),
            bill_home: Vec::new(),
            fee_off: Vec::new(),
            billed,
            buckets: BTreeMap::new(),
            findings: Vec::new(),
            closed: Vec::new(),
        }
    }

    fn is_open_from_before(&self, entry: &Entry) -> bool {
        self.open.contains_key(&entry.key)
    }

    /// True for an entry that this day counts.
    fn counts(&self, entry: &Entry) -> bool {
        entry.standing == Standing::Posted && !self.is_open_from_before(entry) && entry.day == self.day
    }

    /// A line that is matched is counted where its record is; a record in the account of its bill.
    fn find_homes(&mut self) {
        self.shop_home = vec![None; self.matching.shop.len()];
        self.bill_home = vec![None; self.matching.bill.len()];
        for group in &self.matching.groups {
            let (Some(record), Some(line)) = (group.shop.first(), group.bill.first()) else { continue };
            let (record, line) = (&self.matching.shop[*record], &self.matching.bill[*line]);
            let home = (record.store, line.rail, line.account);
            for place in &group.shop {
                self.shop_home[*place] = Some(home);
            }
            for place in &group.bill {
                self.bill_home[*place] = Some(home);
            }
        }
        for (place, entry) in self.matching.shop.iter().enumerate() {
            let account = self.billed.account_of(entry).unwrap_or(entry.account);
            self.shop_home[place].get_or_insert((entry.store, entry.rail, account));
        }
        for (place, entry) in self.matching.bill.iter().enumerate() {
            self.bill_home[place].get_or_insert((entry.store, entry.rail, entry.account));
        }
    }

    fn bucket(&mut self, (store, rail, account): Home, currency: Currency) -> &mut Bucket {
        self.buckets
            .entry((store, rail, account, currency))
            .or_insert_with(|| Bucket::new(store, rail, account, currency))
    }

    fn home(homes: &[Option<Home>], place: usize, entry: &Entry) -> Home {
        homes.get(place).copied().flatten().unwrap_or((entry.store, entry.rail, entry.account))
    }

    /// The totals of both sides, from the rows alone: what the findings must add up to.
    fn count(&mut self) {
        let shop = std::mem::take(&mut self.matching.shop);
        for (place, entry) in shop.iter().enumerate() {
            if self.counts(entry) {
                let home = Self::home(&self.shop_home, place, entry);
                self.bucket(home, entry.currency).shop.add(i128::from(entry.signed()));
            }
        }
        self.matching.shop = shop;
        let bill = std::mem::take(&mut self.matching.bill);
        self.fee_off = vec![0; bill.len()];
        for (place, entry) in bill.iter().enumerate() {
            let is_loose_bank_line = entry.rail.as_str() == BANK && !self.matching.has_bill(place);
            if !self.counts(entry) || is_loose_bank_line {
                continue;
            }
            let home = Self::home(&self.bill_home, place, entry);
            let checked = fee_check(entry, home.0, &self.rules.contracts);
            let (settle_currency, settles) = entry.settles();
            let bucket = self.bucket(home, entry.currency);
            bucket.has_bill = true;
            bucket.bill.add(i128::from(entry.signed()));
            bucket.fees += i128::from(entry.fee.unwrap_or(0));
            if let Some(checked) = checked {
                bucket.fee_check.lines += 1;
                bucket.fee_check.charged += checked.charged;
                bucket.fee_check.expected += checked.expected;
                if checked.is_rounding() {
                    bucket.fee_check.rounding += checked.off();
                } else {
                    self.fee_off[place] = checked.off();
                }
            }
            if entry.rail.as_str() != BANK {
                self.bucket(home, settle_currency).net += settles;
            }
        }
        self.matching.bill = bill;
    }

    fn groups(&mut self) {
        for group in std::mem::take(&mut self.matching.groups) {
            self.group(&group);
        }
    }

    /// What a group of records and lines comes to.
    fn group(&mut self, group: &Group) {
        let (Some(first), Some(line)) = (group.shop.first(), group.bill.first()) else { return };
        let (record, line) = (self.matching.shop[*first].clone(), self.matching.bill[*line].clone());
        let sums = self.sums_of(group);
        let fee: i128 = group.bill.iter().map(|place| self.fee_off[*place]).sum();
        let home = Self::home(&self.shop_home, *first, &record);
        let Some(class) = self.class_of(group, (&record, &line), &sums, fee) else {
            if sums.shop_today.count > 0 {
                let bucket = self.bucket(home, record.currency);
                bucket.matched.merge(sums.shop_today);
            }
            return;
        };
        for place in &group.shop {
            self.close(&self.matching.shop[*place].clone(), class, &line);
        }
        for place in &group.bill {
            self.close(&self.matching.bill[*place].clone(), class, &record);
        }
        let counted = sums.shop_today.count + sums.bill_today.count;
        if counted == 0 && !(class == Class::PaidUnknown && line.day == self.day) {
            return;
        }
        let mut finding = self.finding(home, class, record.currency, (Some(&record), Some(&line)));
        finding.because = Some(group.because);
        finding.count = counted.max(1);
        if class == Class::FeeDiffers {
            // The amounts agree to the minor unit: only the fee is a difference.
            self.bucket(home, record.currency).matched.merge(sums.shop_today);
            finding.fee_minor = fee;
            self.findings.push(finding);
            return;
        }
        if record.currency == line.currency {
            finding.shop_minor = sums.shop_today.minor;
            finding.bill_minor = sums.bill_today.minor;
            finding.fee_minor = fee;
            self.findings.push(finding);
            return;
        }
        // Two currencies are never added: each side stands in its own.
        let mut other = self.finding(home, class, line.currency, (Some(&record), Some(&line)));
        other.because = finding.because;
        other.bill_minor = sums.bill_today.minor;
        other.fee_minor = fee;
        finding.shop_minor = sums.shop_today.minor;
        self.findings.extend([finding, other]);
    }

    fn sums_of(&self, group: &Group) -> Sums {
        let mut sums = Sums::default();
        for place in &group.shop {
            let entry = &self.matching.shop[*place];
            if entry.standing == Standing::Posted {
                sums.shop += i128::from(entry.signed());
            }
            if self.counts(entry) {
                sums.shop_today.add(i128::from(entry.signed()));
            }
        }
        for place in &group.bill {
            let entry = &self.matching.bill[*place];
            if entry.standing == Standing::Posted {
                sums.bill += i128::from(entry.signed());
            }
            if self.counts(entry) {
                sums.bill_today.add(i128::from(entry.signed()));
            }
        }
        sums
    }

    /// `None` when all is well.
    fn class_of(
        &self,
        group: &Group,
        (record, line): (&Entry, &Entry),
        sums: &Sums,
        fee: i128,
    ) -> Option<Class> {
        let from_before =
            group.shop.iter().any(|place| self.is_open_from_before(&self.matching.shop[*place]))
                || group.bill.iter().any(|place| self.is_open_from_before(&self.matching.bill[*place]));
        let waits = group.bill.iter().any(|place| self.matching.bill[*place].standing == Standing::UnderWay);
        if record.standing != Standing::Posted {
            let under_way = record.standing == Standing::UnderWay && record.kind != EntryKind::Sale;
            return match (waits, under_way) {
                (true, _) => None,
                (false, true) => Some(Class::UnderWay),
                (false, false) => Some(Class::PaidUnknown),
            };
        }
        if waits {
            return Some(Class::UnderWay);
        }
        if record.currency != line.currency {
            return Some(Class::CurrencyDiffers);
        }
        let difference = sums.shop - sums.bill;
        if difference != 0 {
            let rules = self.rules.of(record.store, line.rail, line.account);
            let let_pass = rules.tolerates(difference, sums.bill);
            return Some(if let_pass { Class::Tolerance } else { Class::AmountDiffers });
        }
        match (from_before, fee) {
            (true, _) => Some(Class::Late),
            (false, 0) => None,
            (false, _) => Some(Class::FeeDiffers),
        }
    }

    fn close(&mut self, entry: &Entry, class: Class, with: &Entry) {
        if let Some(open) = self.open.remove(&entry.key) {
            let closed = Closed { on: self.day, class, with: Box::new(with.clone()) };
            self.closed.push((open.id, closed));
        }
    }

    fn finding(
        &self,
        (store, rail, account): Home,
        class: Class,
        currency: Currency,
        (shop, bill): (Option<&Entry>, Option<&Entry>),
    ) -> Finding {
        let key = |entry: Option<&Entry>| entry.map_or_else(String::new, |entry| entry.key.to_string());
        let id = RecordKey::of(store, currency.code(), &key(shop), &key(bill), self.day);
        Finding {
            id,
            class,
            store,
            rail,
            account,
            currency,
            shop: shop.cloned(),
            bill: bill.cloned(),
            shop_minor: 0,
            bill_minor: 0,
            fee_minor: 0,
            count: 1,
            because: None,
            suggestion: None,
            due_ms: None,
            closed: None,
        }
    }

    fn finish(mut self) -> Result<DayResult, Unbalanced> {
        let (payouts, bank) = (self.payouts(), self.bank());
        self.findings.sort_by_key(|finding| (finding.class, finding.id));
        self.closed.sort_by_key(|(id, _)| *id);
        let (findings, more) = limited(fees_together(self.findings, self.day));
        let buckets = self.buckets.into_values().collect();
        let books =
            DayBooks { day: self.day, opened_with: String::new(), buckets, findings, payouts, bank, more };
        books.check()?;
        Ok(DayResult { books, closed: self.closed })
    }
}

#[derive(Default)]
struct Sums {
    /// Of all entries of a group.
    shop: i128,
    bill: i128,
    /// Of those that this day counts.
    shop_today: Tally,
    bill_today: Tally,
}
