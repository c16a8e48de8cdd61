use super::BillContext;
use crate::domain::{
    FailureReason, Instant, Kind, MethodDetail, Money, Risk, Status, Transaction, Word, failure_reason,
};

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
        Transaction {
            transaction_id: self.transaction_id,
            created_at: self.created_at,
            kind: Kind::Payment,
            status: self.status,
            amount: self.amount,
            store: context.store,
            account: self.account.to_owned(),
            provider: self.provider,
            method: None,
            aggregator: None,
            method_detail: MethodDetail::default(),
            scene: None,
            device: None,
            operator: None,
            terminal: None,
            shift: None,
            source: None,
            campaign: None,
            promotion: None,
            order_id: None,
            payment_id: None,
            attempt: None,
            parent_transaction_id: None,
            provider_transaction_id: None,
            subscription_id: None,
            submitted_at: None,
            authorized_at: None,
            completed_at: moved.then_some(self.updated_at),
            settled_on: None,
            updated_at: Some(self.updated_at),
            failure_code: None,
            failure_message: None,
            failure_class: None,
            list_amount: None,
            discount_merchant: None,
            discount_platform: None,
            tax: None,
            fee: None,
            fee_refunded: None,
            customer: None,
            payment_fingerprint: None,
            ip: None,
            items: Vec::new(),
            risk: Risk::default(),
            attributes: Vec::new(),
            test: false,
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
