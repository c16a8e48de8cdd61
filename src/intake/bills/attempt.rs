use super::BillContext;
use crate::domain::{FailureReason, Instant, Kind, Money, Status, Transaction, Word, failure_reason};

/// What every payment attempt in a report has; the rest is added where the format says it.
pub struct Attempt<'a> {
    pub transaction_id: String,
    pub created_at: Instant,
    /// The version: when the report saw it last.
    pub updated_at: Instant,
    pub status: Status,
    /// Not negative.
    pub amount: Money,
    pub account: &'a str,
    pub provider: Option<Word>,
}

impl Attempt<'_> {
    /// The attempt.
    pub fn transaction(self, context: &BillContext<'_>) -> Transaction {
        let moved = matches!(self.status, Status::Succeeded);
        let head = (Kind::Payment, self.status);
        let owner = (context.store, self.account);
        Transaction {
            provider: self.provider,
            completed_at: moved.then_some(self.updated_at),
            updated_at: Some(self.updated_at),
            ..Transaction::of_head(self.transaction_id, self.created_at, head, self.amount, owner)
        }
    }
}

/// The same attempt with the reason of its failure; of one that did not fail nothing is said.
pub fn failed(row: Transaction, code: Option<String>, message: Option<String>) -> Transaction {
    if !matches!(row.status, Status::Failed | Status::Blocked | Status::Expired | Status::Cancelled) {
        return row;
    }
    let provider = row.provider.unwrap_or(Word::NONE);
    let class = code.as_deref().and_then(|code| failure_reason(provider, code)).map(FailureReason::class);
    Transaction { failure_code: code, failure_message: message, failure_class: class, ..row }
}
