use chrono::NaiveDate;

use super::BillContext;
use crate::domain::{
    Currency, Direction, Instant, LedgerKind, LedgerLine, MethodDetail, Status, StoreId, Word,
};

/// What every ledger line of every format has; the rest is added where a format says it.
pub struct Moved<'a> {
    pub line_id: String,
    pub posted_at: Instant,
    /// On the source's own calendar.
    pub source_day: Option<NaiveDate>,
    pub account: &'a str,
    pub provider: &'static str,
    pub kind: LedgerKind,
    pub direction: Direction,
    pub currency: Currency,
    /// Unsigned.
    pub gross: i64,
}

impl Moved<'_> {
    /// The line, of money that has moved, with its version: the moment it moved.
    pub fn line(self, context: &BillContext<'_>, number: u64) -> LedgerLine {
        let store: StoreId = context.store;
        LedgerLine {
            line_id: self.line_id,
            posted_at: self.posted_at,
            source_day: self.source_day,
            store,
            account: self.account.to_owned(),
            provider: Some(Word::of(self.provider)),
            status: Status::Succeeded,
            completed_at: Some(self.posted_at),
            updated_at: Some(self.posted_at),
            operator: None,
            terminal: None,
            scene: None,
            list_amount: None,
            discount_merchant: None,
            discount_platform: None,
            category: None,
            attributes: Vec::new(),
            kind: self.kind,
            direction: self.direction,
            currency: self.currency,
            gross: self.gross,
            fee: None,
            net: None,
            fee_rate: None,
            settle_currency: None,
            settle_amount: None,
            exchange_rate: None,
            provider_transaction_id: None,
            parent_transaction_id: None,
            order_id: None,
            payout_id: None,
            method: None,
            method_detail: MethodDetail::default(),
            customer: None,
            description: None,
            file: Some(context.file.to_owned()),
            line_number: i64::try_from(number).ok(),
            test: false,
        }
    }
}

/// The direction of a signed amount; of zero it is the natural one of its kind.
pub const fn direction_of(signed: i64, kind: LedgerKind) -> Direction {
    let natural_out =
        matches!(kind, LedgerKind::Refund | LedgerKind::Fee | LedgerKind::Payout | LedgerKind::Dispute);
    if signed < 0 || (signed == 0 && natural_out) { Direction::Out } else { Direction::In }
}

/// An amount with the sign of its direction.
pub const fn signed(amount: i64, direction: Direction) -> i64 {
    match direction {
        Direction::In => amount,
        Direction::Out => -amount,
    }
}
