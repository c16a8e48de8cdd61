//! What no other side answers to: named by what else is known of it.

use std::collections::{BTreeMap, HashSet};

use crate::domain::{Currency, RecordKey, Word, instant_from_ms};

use super::super::books::{Class, Finding};
use super::super::entry::{BANK, Entry, EntryKind, Standing, bill_due, is_own_book, source_day};
use super::{BOUNDARY, Home, UNBILLED_MAX, Work};

impl Work<'_> {
    /// Records that no line answers to.
    pub(super) fn rest_of_shop(&mut self) {
        let known = self.matched_orders(true);
        let mut unbilled: BTreeMap<(Home, Currency), Vec<Finding>> = BTreeMap::new();
        for place in 0..self.matching.shop.len() {
            let entry = &self.matching.shop[place];
            if self.matching.has_shop(place) || !self.counts(entry) {
                continue;
            }
            let entry = entry.clone();
            let home = Self::home(&self.shop_home, place, &entry);
            let billed = self.billed.account_of(&entry).is_some() || self.bank_pays(&entry);
            if !billed && is_own_book(entry.rail) {
                self.bucket(home, entry.currency).unbilled.add(i128::from(entry.signed()));
                continue;
            }
            let class = if !billed {
                Class::NoBill
            } else if known.contains(&order_of(&entry)) && !entry.order_id.is_empty() {
                Class::Duplicate
            } else {
                Class::OnlyShop
            };
            let mut finding = self.finding(home, class, entry.currency, (Some(&entry), None));
            finding.shop_minor = i128::from(entry.signed());
            finding.due_ms = self.due_ms(&entry);
            match class {
                Class::NoBill => unbilled.entry((home, entry.currency)).or_default().push(finding),
                _ => self.findings.push(finding),
            }
        }
        for ((home, currency), mut findings) in unbilled {
            if findings.len() <= UNBILLED_MAX {
                self.findings.append(&mut findings);
                continue;
            }
            let bucket = self.bucket(home, currency);
            for finding in findings {
                bucket.unbilled.add(finding.shop_minor);
            }
        }
    }

    /// True when a bank statement of this day is there for a record that goes through the bank.
    fn bank_pays(&self, record: &Entry) -> bool {
        record.rail.as_str() == BANK && self.matching.bill.iter().any(|line| line.rail.as_str() == BANK)
    }

    /// Until when a missing line is nothing to worry about: the bill's hour, of the next day for the last minutes of one.
    fn due_ms(&self, record: &Entry) -> Option<i64> {
        let store = self.rules.stores.iter().find(|store| store.id == record.store)?;
        let soon = source_day(record.rail, instant_from_ms(record.at_ms) + BOUNDARY, store);
        bill_due(record.rail, soon.max(self.day)).map(|due| due.timestamp_millis())
    }

    /// Orders of pairs, by which what is left over is told to be there twice.
    fn matched_orders(&self, shop: bool) -> HashSet<Order> {
        let side = if shop { &self.matching.shop } else { &self.matching.bill };
        let taken = |place: &usize| {
            if shop { self.matching.has_shop(*place) } else { self.matching.has_bill(*place) }
        };
        let posted = |entry: &&Entry| entry.standing == Standing::Posted;
        (0..side.len()).filter(taken).map(|place| &side[place]).filter(posted).map(order_of).collect()
    }

    /// Lines that no record of the shop answers to.
    pub(super) fn rest_of_bill(&mut self) {
        let known = self.matched_orders(false);
        for place in 0..self.matching.bill.len() {
            let entry = &self.matching.bill[place];
            let is_bank = entry.rail.as_str() == BANK;
            if self.matching.has_bill(place) || !self.counts(entry) || is_bank {
                continue;
            }
            let entry = entry.clone();
            let home = Self::home(&self.bill_home, place, &entry);
            let twice = !entry.order_id.is_empty() && known.contains(&order_of(&entry));
            let class = if twice { Class::Duplicate } else { Class::OnlyBill };
            let mut finding = self.finding(home, class, entry.currency, (None, Some(&entry)));
            finding.bill_minor = i128::from(entry.signed());
            finding.fee_minor = self.fee_off[place];
            self.findings.push(finding);
        }
    }

    /// What another feed says was paid and the shop's own record does not: known before any bill.
    pub(super) fn witnesses(&mut self) {
        let mut witnesses = std::mem::take(&mut self.witnesses);
        witnesses.sort_by_key(Entry::place);
        let mut known: HashSet<(EntryKind, String)> = HashSet::new();
        let posted = self.matching.shop.iter().filter(|entry| entry.standing == Standing::Posted);
        for entry in posted.chain(&self.matching.bill) {
            known.extend(names_of(entry));
        }
        for witness in witnesses {
            if !self.counts(&witness) || self.is_near_an_end(&witness) {
                continue;
            }
            let names = names_of(&witness);
            if names.is_empty() || names.iter().any(|name| known.contains(name)) {
                continue;
            }
            let unpaid = (0..self.matching.shop.len()).find(|place| {
                let record = &self.matching.shop[*place];
                let same = names_of(record).iter().any(|name| names.contains(name));
                record.standing != Standing::Posted && !self.matching.has_shop(*place) && same
            });
            let record = unpaid.map(|place| self.matching.shop[place].clone());
            let home = (witness.store, witness.rail, witness.account);
            known.extend(names);
            let currency = witness.currency;
            let finding = self.finding(home, Class::PaidUnknown, currency, (record.as_ref(), Some(&witness)));
            self.findings.push(finding);
        }
    }

    /// Two feeds may put a payment of midnight on two days; the bill decides.
    fn is_near_an_end(&self, entry: &Entry) -> bool {
        let Some(store) = self.rules.stores.iter().find(|store| store.id == entry.store) else {
            return false;
        };
        let at = instant_from_ms(entry.at_ms);
        source_day(entry.rail, at + BOUNDARY, store) != source_day(entry.rail, at - BOUNDARY, store)
    }

    /// Equal amounts of both sides, where there is only one of each: a hint for whoever matches by hand.
    pub(super) fn suggest(&mut self) {
        let about = |finding: &Finding| {
            finding
                .shop
                .as_ref()
                .or(finding.bill.as_ref())
                .map(|entry| (entry.kind, entry.currency, entry.amount))
        };
        let mut sides: BTreeMap<(EntryKind, Currency, i64), BothSides> = BTreeMap::new();
        for finding in self.findings.iter().chain(self.open.values()).filter(|finding| finding.is_open()) {
            if let Some(place) = about(finding) {
                let side = sides.entry(place).or_default();
                let ids = if finding.shop.is_some() { &mut side.0 } else { &mut side.1 };
                ids.push(finding.id);
            }
        }
        for finding in self.findings.iter_mut().filter(|finding| finding.is_open()) {
            let Some((shop, bill)) = about(finding).and_then(|place| sides.get(&place)) else { continue };
            if let ([record], [line]) = (shop.as_slice(), bill.as_slice()) {
                finding.suggestion = Some(if finding.shop.is_some() { *line } else { *record });
            }
        }
    }
}

/// Findings of records, and of lines.
type BothSides = (Vec<RecordKey>, Vec<RecordKey>);

/// What makes two payments of one order the same payment twice.
type Order = (EntryKind, bool, Word, String, Currency, i64);

fn order_of(entry: &Entry) -> Order {
    (entry.kind, entry.inward, entry.rail, entry.order_id.clone(), entry.currency, entry.amount)
}

fn names_of(entry: &Entry) -> Vec<(EntryKind, String)> {
    let given = [&entry.provider_id, &entry.order_id].into_iter().filter(|id| !id.is_empty());
    given.map(|id| (entry.kind, id.clone())).collect()
}
