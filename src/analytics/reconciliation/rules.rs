use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::domain::{ContractRate, RATE_PPM_MAX, Store, StoreId, Word};

use super::calendar::due_after;
use super::entry::{ANY_ACCOUNT, Entry};
use super::reference::Reference;

/// What an owner settled about one merchant account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountRules {
    pub store: StoreId,
    pub rail: Word,
    /// `default`: every account of the provider that has no rules of its own.
    pub account: Word,
    /// Days from the sale (or the payout) until the money should be at the bank.
    pub cycle_days: u32,
    /// Count working days only.
    pub working_days: bool,
    /// A difference of at most so many minor units, or millionths of the amount, is booked to the tolerance account.
    pub tolerance_minor: i64,
    pub tolerance_ppm: u32,
    /// How order numbers look in texts: see [`Reference`].
    pub reference: String,
    /// The bank account it pays into, as the statement prints it; empty: any.
    pub bank_account: String,
    /// What the bank's text says when this provider pays; empty: payouts are told by their ids only.
    pub bank_text: String,
    /// Nothing before this day is reconciled.
    pub first_day: Option<NaiveDate>,
}

impl AccountRules {
    /// What holds until somebody says otherwise: money on the next working day, no tolerance.
    pub fn usual(store: StoreId, rail: Word, account: Word) -> Self {
        Self {
            store,
            rail,
            account,
            cycle_days: 1,
            working_days: true,
            tolerance_minor: 0,
            tolerance_ppm: 0,
            reference: String::new(),
            bank_account: String::new(),
            bank_text: String::new(),
            first_day: None,
        }
    }

    /// The day on which money of `day` should be at the bank.
    pub fn due(&self, day: NaiveDate) -> NaiveDate {
        due_after(day, self.cycle_days, self.working_days)
    }

    /// True when a difference of `difference` on `amount` (minor units) is within what was agreed to let pass.
    pub fn tolerates(&self, difference: i128, amount: i128) -> bool {
        let share =
            amount.abs() * i128::from(self.tolerance_ppm.min(RATE_PPM_MAX)) / i128::from(RATE_PPM_MAX);
        difference.abs() <= share.max(i128::from(self.tolerance_minor))
    }
}

/// Everything an organisation settled that decides what matches what.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    pub accounts: Vec<AccountRules>,
    pub contracts: Vec<ContractRate>,
    pub stores: Vec<Store>,
}

impl Rules {
    /// The rules of an account: its own, else those of the provider, else the usual ones.
    pub fn of(&self, store: StoreId, rail: Word, account: Word) -> AccountRules {
        let of = |wanted: &str| {
            self.accounts
                .iter()
                .find(|rules| rules.store == store && rules.rail == rail && rules.account.as_str() == wanted)
        };
        of(account.as_str())
            .or_else(|| of(ANY_ACCOUNT))
            .cloned()
            .unwrap_or_else(|| AccountRules::usual(store, rail, account))
    }

    /// False for entries before the first day that is reconciled.
    pub fn takes(&self, entry: &Entry) -> bool {
        let first = |rules: &&AccountRules| {
            rules.store == entry.store
                && rules.rail == entry.rail
                && (rules.account == entry.account || rules.account.as_str() == ANY_ACCOUNT)
        };
        let rules = self.accounts.iter().filter(first).max_by_key(|rules| rules.account == entry.account);
        rules.and_then(|rules| rules.first_day).is_none_or(|first| first <= entry.day)
    }

    /// The patterns of a store's order numbers, each once.
    pub fn references(&self, store: StoreId) -> Vec<Reference> {
        let mut texts: Vec<&str> = self
            .accounts
            .iter()
            .filter(|rules| rules.store == store && !rules.reference.is_empty())
            .map(|rules| rules.reference.as_str())
            .collect();
        texts.sort_unstable();
        texts.dedup();
        texts.into_iter().filter_map(Reference::parse).collect()
    }
}
