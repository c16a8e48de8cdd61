//! Lines that are no sales: fees, movements of the balance, payouts, and what the bank says beside payments.

use std::collections::{BTreeMap, HashSet};

use crate::domain::{Currency, RecordKey};

use super::super::arrivals::{BankLine, Payout, PayoutSource};
use super::super::entry::{BANK, Entry, EntryKind, Standing};
use super::{Home, Work};

impl Work<'_> {
    /// Lines that are no sales: fees charged apart, movements of the balance, payouts.
    pub(super) fn apart(&mut self) {
        let others = std::mem::take(&mut self.others);
        for entry in
            others.iter().filter(|entry| entry.standing == Standing::Posted && entry.rail.as_str() != BANK)
        {
            let home = (entry.store, entry.rail, entry.account);
            let (settle_currency, settles) = entry.settles();
            let signed = i128::from(entry.signed());
            match entry.kind {
                EntryKind::Fee => self.bucket(home, entry.currency).fees -= signed,
                EntryKind::Movement => self.bucket(home, entry.currency).movements += signed,
                _ => continue,
            }
            self.bucket(home, settle_currency).net += settles;
        }
        self.others = others;
    }

    pub(super) fn payouts(&self) -> Vec<Payout> {
        let mut payouts = Vec::new();
        let mut by_id: BTreeMap<(Home, Currency, &str), i128> = BTreeMap::new();
        let mut said: HashSet<&str> = HashSet::new();
        for entry in &self.others {
            if entry.kind == EntryKind::Payout && entry.standing != Standing::Dead {
                said.insert(&entry.payout_id);
                payouts.push(Payout {
                    key: entry.key,
                    store: entry.store,
                    rail: entry.rail,
                    account: entry.account,
                    currency: entry.currency,
                    day: self.day,
                    minor: -entry.settles().1,
                    payout_id: entry.payout_id.clone(),
                    source: PayoutSource::Line,
                });
            }
        }
        let lines = self.matching.bill.iter().filter(|entry| self.counts(entry)).chain(&self.others);
        for entry in lines.filter(|entry| entry.kind != EntryKind::Payout && !entry.payout_id.is_empty()) {
            let (currency, settles) = entry.settles();
            let home = (entry.store, entry.rail, entry.account);
            *by_id.entry((home, currency, &entry.payout_id)).or_default() += settles;
        }
        for (((store, rail, account), currency, id), minor) in by_id {
            let key = RecordKey::of(store, account.as_str(), rail.as_str(), id, self.day);
            let day = self.day;
            let payout_id = id.to_owned();
            let source = PayoutSource::Lines;
            payouts.push(Payout { key, store, rail, account, currency, day, minor, payout_id, source });
        }
        payouts.sort_by_key(|payout| payout.key);
        payouts
    }

    pub(super) fn bank(&self) -> Vec<BankLine> {
        let loose = (0..self.matching.bill.len())
            .filter(|place| !self.matching.has_bill(*place))
            .map(|place| &self.matching.bill[place])
            .filter(|entry| !self.is_open_from_before(entry));
        let lines = loose.chain(&self.others).filter(|entry| {
            entry.rail.as_str() == BANK && entry.kind != EntryKind::Fee && entry.standing == Standing::Posted
        });
        let mut bank: Vec<BankLine> = lines.map(bank_line).collect();
        bank.sort_by_key(|line| (line.at_ms, line.key));
        bank
    }
}

fn bank_line(entry: &Entry) -> BankLine {
    let ids = [&entry.payout_id, &entry.order_id, &entry.provider_id];
    BankLine {
        key: entry.key,
        store: entry.store,
        account: entry.account,
        currency: entry.currency,
        day: entry.day,
        at_ms: entry.at_ms,
        minor: i128::from(entry.signed()),
        ids: ids.into_iter().filter(|id| !id.is_empty()).cloned().collect(),
        text: entry.text.clone(),
    }
}
