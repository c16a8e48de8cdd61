//! Which record belongs to which line, by rules in order of certainty. No row is taken twice; where several fit, the one
//! of the same store, then of the nearest day, then the earliest, then that of the smaller key is taken, so that the
//! order in which rows come in decides nothing.

use std::collections::HashMap;

use chrono::{Datelike, NaiveDate};

use crate::domain::{Currency, StoreId, Word};

use super::books::Because;
use super::entry::{ANY_ACCOUNT, BANK, CASH, Entry, EntryKind, STORED_VALUE, Standing};
use super::rules::Rules;

/// Ids at least this long are taken for unique beyond one provider and one store.
const LONG_ID: usize = 8;
/// Provider ids at least this long say the same whoever's bill they stand in.
const UNIQUE_PROVIDER_ID: usize = 16;

/// Records and lines that were found to belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Places in [`Matching::shop`].
    pub shop: Vec<usize>,
    /// Places in [`Matching::bill`].
    pub bill: Vec<usize>,
    pub because: Because,
}

/// Places of records, and of lines.
type BothSides = (Vec<usize>, Vec<usize>);
/// What a close-out says one sum for: all of a store's day, or one till of it.
type Drawer<'a> = (StoreId, Word, Currency, NaiveDate, &'a str);

/// Both sides, in a fixed order, and what was found so far.
pub struct Matching {
    pub shop: Vec<Entry>,
    pub bill: Vec<Entry>,
    pub groups: Vec<Group>,
    shop_taken: Vec<bool>,
    bill_taken: Vec<bool>,
}

/// What a rule compares: kind, direction, text, and the amount where it must be equal.
type Key<'a> = (EntryKind, bool, &'a str, Option<(Currency, i64)>);

impl Matching {
    /// Puts both sides in order. Witnesses are no records of the shop and must not be among them.
    pub fn new(mut shop: Vec<Entry>, mut bill: Vec<Entry>) -> Self {
        shop.sort_by_key(Entry::place);
        bill.sort_by_key(Entry::place);
        let (shop_taken, bill_taken) = (vec![false; shop.len()], vec![false; bill.len()]);
        Self { shop, bill, groups: Vec::new(), shop_taken, bill_taken }
    }

    /// Applies every rule.
    pub fn run(&mut self, rules: &Rules) {
        self.by_provider_id();
        self.by_merchant_refund_id();
        self.by_order_id();
        self.by_text(rules);
        self.counted_together();
    }

    /// True when the record is in a group.
    pub fn has_shop(&self, place: usize) -> bool {
        self.shop_taken.get(place).copied().unwrap_or(true)
    }

    /// True when the line is in a group.
    pub fn has_bill(&self, place: usize) -> bool {
        self.bill_taken.get(place).copied().unwrap_or(true)
    }

    fn by_provider_id(&mut self) {
        for exact in [true, false] {
            for posted in [true, false] {
                let rule = Rule { because: Because::ProviderId, posted, exact, alone: !exact };
                self.pass(rule, provider_id, provider_id);
            }
        }
    }

    fn by_merchant_refund_id(&mut self) {
        for posted in [true, false] {
            let rule = Rule { because: Because::MerchantRefundId, posted, exact: false, alone: true };
            self.pass(rule, refund_id, merchant_refund_id);
        }
    }

    fn by_order_id(&mut self) {
        for posted in [true, false] {
            let rule = Rule { because: Because::OrderId, posted, exact: true, alone: false };
            self.pass(rule, own_id, order_id);
            self.pass(rule, payment_id, order_id);
            self.pass(rule, order_id, order_id);
        }
        self.same_sum();
        let rule = Rule { because: Because::OrderId, posted: true, exact: false, alone: false };
        self.pass(rule, own_id, order_id);
        self.pass(rule, order_id, order_id);
    }

    /// One rule over what is left: `of_shop` and `of_bill` say what must be equal.
    fn pass(
        &mut self,
        rule: Rule,
        of_shop: impl Fn(&Entry) -> Option<&str>,
        of_bill: impl Fn(&Entry) -> Option<&str>,
    ) {
        for (record, line) in self.picked(rule, of_shop, of_bill) {
            self.take(Group { shop: vec![record], bill: vec![line], because: rule.because });
        }
    }

    fn picked(
        &self,
        rule: Rule,
        of_shop: impl Fn(&Entry) -> Option<&str>,
        of_bill: impl Fn(&Entry) -> Option<&str>,
    ) -> Vec<(usize, usize)> {
        let (shop, bill) = (&self.shop, &self.bill);
        let mut lines: HashMap<Key, Vec<usize>> = HashMap::new();
        for (place, entry) in bill.iter().enumerate().filter(|(place, _)| !self.bill_taken[*place]) {
            if let Some(text) = of_bill(entry) {
                lines.entry(rule.key(entry, text)).or_default().push(place);
            }
        }
        let mut wanting: HashMap<Key, Vec<usize>> = HashMap::new();
        let mut order: Vec<Key> = Vec::new();
        for (place, entry) in shop.iter().enumerate().filter(|(place, _)| !self.shop_taken[*place]) {
            let Some(text) = of_shop(entry).filter(|_| rule.takes(entry)) else { continue };
            let key = rule.key(entry, text);
            if lines.contains_key(&key) {
                let places = wanting.entry(key).or_default();
                if places.is_empty() {
                    order.push(key);
                }
                places.push(place);
            }
        }
        let mut picked = Vec::new();
        for key in order {
            let (Some(records), Some(left)) = (wanting.get(&key), lines.get_mut(&key)) else { continue };
            if rule.alone && (records.len() > 1 || left.len() > 1) {
                continue;
            }
            for record in records {
                if let Some(at) = nearest(&shop[*record], bill, left, rule.because) {
                    picked.push((*record, left.remove(at)));
                }
            }
        }
        picked
    }

    /// Several records of one order and kind against several lines of it, where the sums are equal.
    fn same_sum(&mut self) {
        let mut orders: HashMap<(EntryKind, &str, Currency), BothSides> = HashMap::new();
        for (place, entry) in self.shop.iter().enumerate() {
            if !self.shop_taken[place] && entry.standing == Standing::Posted && !entry.order_id.is_empty() {
                let order = orders.entry((entry.kind, &entry.order_id, entry.currency)).or_default();
                order.0.push(place);
            }
        }
        for (place, entry) in self.bill.iter().enumerate() {
            if !self.bill_taken[place]
                && let Some(order) = orders.get_mut(&(entry.kind, entry.order_id.as_str(), entry.currency))
            {
                order.1.push(place);
            }
        }
        let sum = |side: &[Entry], places: &[usize]| -> i128 {
            places.iter().map(|place| i128::from(side[*place].amount)).sum()
        };
        let mut found: Vec<Group> = orders
            .into_values()
            .filter(|(shop, bill)| {
                let (Some(first), Some(line)) = (shop.first(), bill.first()) else { return false };
                let together = || {
                    shop.iter().all(|one| fits(&self.shop[*one], &self.bill[*line], Because::Sum))
                        && bill.iter().all(|one| fits(&self.shop[*first], &self.bill[*one], Because::Sum))
                };
                shop.len() + bill.len() > 2 && sum(&self.shop, shop) == sum(&self.bill, bill) && together()
            })
            .map(|(shop, bill)| Group { shop, bill, because: Because::Sum })
            .collect();
        found.sort_by(|one, other| one.shop.cmp(&other.shop));
        for group in found {
            self.take(group);
        }
    }

    /// Order numbers found in texts by the store's own pattern.
    fn by_text(&mut self, rules: &Rules) {
        let mut patterns: HashMap<StoreId, Vec<super::reference::Reference>> = HashMap::new();
        let mut numbers: HashMap<String, Vec<usize>> = HashMap::new();
        for (place, entry) in self.bill.iter().enumerate().filter(|(place, _)| !self.bill_taken[*place]) {
            let own = patterns.entry(entry.store).or_insert_with(|| rules.references(entry.store));
            for pattern in own.iter() {
                let found = [&entry.order_id, &entry.text].into_iter().flat_map(|text| pattern.find(text));
                for number in found {
                    let places = numbers.entry(number.to_lowercase()).or_default();
                    if places.last() != Some(&place) {
                        places.push(place);
                    }
                }
            }
        }
        if numbers.is_empty() {
            return;
        }
        for (exact, posted) in [(true, true), (true, false), (false, true)] {
            for record in 0..self.shop.len() {
                self.take_by_text(&numbers, record, (exact, posted));
            }
        }
    }

    fn take_by_text(
        &mut self,
        numbers: &HashMap<String, Vec<usize>>,
        record: usize,
        (exact, posted): (bool, bool),
    ) {
        let entry = &self.shop[record];
        if self.shop_taken[record] || posted != (entry.standing == Standing::Posted) {
            return;
        }
        let names = [&entry.order_id, &entry.id];
        let left: Vec<usize> = names
            .into_iter()
            .filter_map(|name| numbers.get(&name.to_lowercase()))
            .flatten()
            .copied()
            .filter(|line| {
                let line_entry = &self.bill[*line];
                let equal = line_entry.currency == entry.currency && line_entry.amount == entry.amount;
                !self.bill_taken[*line] && line_entry.kind == entry.kind && (equal || !exact)
            })
            .collect();
        if let Some(at) = nearest(entry, &self.bill, &left, Because::Text) {
            self.take(Group { shop: vec![record], bill: vec![left[at]], because: Because::Text });
        }
    }

    /// Cash and stored value: a close-out says one sum for all of a day, of the whole store or of one till.
    fn counted_together(&mut self) {
        let is_sum = |entry: &Entry| matches!(entry.rail.as_str(), CASH | STORED_VALUE);
        let place_of = |entry: &Entry| (entry.store, entry.rail, entry.currency, entry.day);
        let mut sums: HashMap<Drawer, BothSides> = HashMap::new();
        let left =
            self.bill.iter().enumerate().filter(|(place, entry)| {
                !self.bill_taken[*place] && is_sum(entry) && entry.order_id.is_empty()
            });
        for (place, entry) in left {
            let (store, rail, currency, day) = place_of(entry);
            sums.entry((store, rail, currency, day, &entry.terminal)).or_default().1.push(place);
        }
        if sums.is_empty() {
            return;
        }
        for (place, entry) in self.shop.iter().enumerate() {
            if self.shop_taken[place] || entry.standing != Standing::Posted || !is_sum(entry) {
                continue;
            }
            let (store, rail, currency, day) = place_of(entry);
            for terminal in [entry.terminal.as_str(), ""] {
                if let Some(sum) = sums.get_mut(&(store, rail, currency, day, terminal)) {
                    sum.0.push(place);
                    break;
                }
            }
        }
        let mut found: Vec<Group> = sums
            .into_values()
            .filter(|(shop, _)| !shop.is_empty())
            .map(|(shop, bill)| Group { shop, bill, because: Because::Sum })
            .collect();
        found.sort_by(|one, other| one.bill.cmp(&other.bill));
        for group in found {
            self.take(group);
        }
    }

    fn take(&mut self, group: Group) {
        for place in &group.shop {
            debug_assert!(!self.shop_taken[*place], "a record is never matched twice");
            self.shop_taken[*place] = true;
        }
        for place in &group.bill {
            debug_assert!(!self.bill_taken[*place], "a line is never matched twice");
            self.bill_taken[*place] = true;
        }
        self.groups.push(group);
    }
}

/// How a rule reads.
#[derive(Clone, Copy)]
struct Rule {
    because: Because,
    /// Records on which money moved, or those on which the shop says that it did not.
    posted: bool,
    /// The amounts must be equal.
    exact: bool,
    /// Only where there is one on each side.
    alone: bool,
}

impl Rule {
    fn key<'a>(self, entry: &Entry, text: &'a str) -> Key<'a> {
        (entry.kind, entry.inward, text, self.exact.then_some((entry.currency, entry.amount)))
    }

    fn takes(self, record: &Entry) -> bool {
        self.posted == (record.standing == Standing::Posted)
    }
}

/// The best of these lines for a record: its place in `left`.
fn nearest(record: &Entry, bill: &[Entry], left: &[usize], because: Because) -> Option<usize> {
    left.iter()
        .enumerate()
        .filter(|(_, line)| fits(record, &bill[**line], because))
        .min_by_key(|(_, line)| {
            let entry = &bill[**line];
            let apart = (entry.day.num_days_from_ce() - record.day.num_days_from_ce()).abs();
            (entry.store != record.store, apart, **line)
        })
        .map(|(at, _)| at)
}

/// True when nothing speaks against the two being one.
fn fits(record: &Entry, line: &Entry, because: Because) -> bool {
    let by_provider = because == Because::ProviderId;
    if record.rail != line.rail && !record.rail.is_none() {
        return by_provider && record.provider_id.len() >= UNIQUE_PROVIDER_ID;
    }
    if by_provider {
        return true;
    }
    // Both name a payment at the provider, in the same way of writing, and it is not the same one.
    let apart = record.kind == EntryKind::Sale
        && record.provider_id.len() == line.provider_id.len()
        && record.provider_id != line.provider_id;
    let any = |account: Word| account.as_str() == ANY_ACCOUNT || account.is_none();
    let accounts = record.account == line.account || any(record.account) || any(line.account);
    if apart || !(accounts || line.rail.as_str() == BANK) {
        return false;
    }
    let named = record.account == line.account && !any(record.account);
    record.store == line.store || named || line.order_id.len() >= LONG_ID || line.rail.as_str() == BANK
}

fn given(text: &str) -> Option<&str> {
    if text.is_empty() { None } else { Some(text) }
}

fn provider_id(entry: &Entry) -> Option<&str> {
    given(&entry.provider_id)
}

fn order_id(entry: &Entry) -> Option<&str> {
    given(&entry.order_id)
}

fn payment_id(entry: &Entry) -> Option<&str> {
    given(&entry.payment_id)
}

fn own_id(entry: &Entry) -> Option<&str> {
    given(&entry.id)
}

fn merchant_refund_id(entry: &Entry) -> Option<&str> {
    given(&entry.merchant_refund_id)
}

fn refund_id(entry: &Entry) -> Option<&str> {
    given(&entry.id).filter(|_| entry.kind == EntryKind::Refund)
}
