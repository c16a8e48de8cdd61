//! Rows that are made from several notices.
//!
//! # The rule
//!
//! What a notice says is a fact, and facts about one subject are kept; one that says the same again (a retry, a replay,
//! a forwarded copy) is no new fact, and of two that say one thing differently the first is believed. After each delivery
//! the rows of its subjects are made anew from *all* facts. A row is a pure function of the set of facts, so the order in
//! which they came does not matter; its version is the youngest moment among them plus one millisecond for each fact, so
//! the row that knows more always wins over the one that knew less, whichever is folded last.
//!
//! `created_at` is part of a row's identity, by its UTC day. The day is fixed by the first delivery that made the row;
//! facts that come later may move the moment within that day, and not beyond it: otherwise one payment would become two.

use chrono::TimeDelta;
use serde::de::DeserializeOwned;

use super::Provider;
use super::reading::{EndpointContext, Fact, Fault, FaultCode, refuse_card_numbers};
use super::{adyen, alipay, stripe, wechat_pay};
use crate::domain::{Instant, Transaction, instant_from_ms};

/// Facts about one subject. Alipay lets a trade be refunded 50 times; nobody says more of one payment than this.
pub const FACTS_PER_SUBJECT_MAX: usize = 400;

/// A row made from facts.
#[derive(Clone, Debug, PartialEq)]
pub struct Derived(pub Transaction);

impl Derived {
    pub(super) const fn new(row: Transaction) -> Self {
        Self(row)
    }

    /// What its day of birth is kept under.
    pub fn birth_key(&self) -> String {
        format!("{}/{}", self.0.kind.as_str(), self.0.transaction_id)
    }

    /// Keeps the row on the UTC day on which it was first made.
    #[must_use]
    pub fn born_at(mut self, born: Instant) -> Transaction {
        if self.0.created_at.date_naive() != born.date_naive() {
            self.0.created_at = born;
        }
        self.0
    }
}

/// The version of a row that is made from so many facts.
pub(super) fn version(youngest_ms: i64, facts: usize) -> Instant {
    let more = TimeDelta::milliseconds(i64::try_from(facts).unwrap_or(i64::MAX / 2));
    instant_from_ms(youngest_ms).checked_add_signed(more).unwrap_or(Instant::MAX_UTC)
}

/// The rows that the facts about one subject make.
///
/// # Errors
/// [`Fault`] when a fact was kept that this version cannot read, or together they say too much.
pub fn derive(
    provider: Provider,
    facts: &[Fact],
    context: &EndpointContext<'_>,
) -> Result<Vec<Derived>, Fault> {
    let rows = match provider {
        Provider::WechatPay => wechat_pay::derive(&read(facts)?, context)?,
        Provider::Alipay => alipay::derive(&read(facts)?, customer(facts).as_deref(), context)?,
        Provider::Stripe => stripe::derive(&read(facts)?, customer(facts).as_deref(), context)?,
        Provider::Adyen => adyen::derive(&read(facts)?, customer(facts).as_deref(), context)?,
        // Each of its notices says all of its subject.
        Provider::Hyperswitch => Vec::new(),
    };
    rows.iter().try_for_each(|row| refuse_card_numbers(&row.0))?;
    Ok(rows)
}

fn read<F: DeserializeOwned>(facts: &[Fact]) -> Result<Vec<F>, Fault> {
    if facts.len() > FACTS_PER_SUBJECT_MAX {
        return Err(Fault::new("", FaultCode::TooMany));
    }
    let fact =
        |fact: &Fact| serde_json::from_str(&fact.said).map_err(|_| Fault::new("", FaultCode::Unreadable));
    facts.iter().map(fact).collect()
}

/// The shopper of a subject: the same in every notice, or the smallest, so that the order does not matter.
fn customer(facts: &[Fact]) -> Option<String> {
    facts.iter().filter_map(|fact| fact.customer.clone()).min()
}
