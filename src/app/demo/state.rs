use chrono::TimeDelta;

use super::order::Draft;
use crate::domain::{Instant, Kind, Risk, Status, Transaction};

/// How long a dispute is only open, before the bank asks for evidence.
const DISPUTE_OPEN_HOURS: i64 = 26;

/// The record as its live feed has it at `at`: `None` before it began, its last known step while it runs.
pub fn as_of(draft: &Draft, at: Instant) -> Option<Transaction> {
    let record = &draft.record;
    if record.created_at >= at {
        return None;
    }
    let ended = record.completed_at.is_some_and(|end| end < at);
    if ended && !draft.unheard {
        return Some(record.clone());
    }
    let mut open = record.clone();
    open.completed_at = None;
    open.settled_on = None;
    open.authorized_at = None;
    match record.kind {
        Kind::Dispute => {
            let asked = record.created_at + TimeDelta::hours(DISPUTE_OPEN_HOURS);
            open.status = if asked < at { Status::EvidenceDue } else { Status::Opened };
            open.updated_at = Some(if asked < at { asked } else { record.created_at });
        }
        _ => not_known_yet(&mut open, at),
    }
    Some(open)
}

fn not_known_yet(open: &mut Transaction, at: Instant) {
    open.submitted_at = open.submitted_at.filter(|submitted| *submitted < at);
    open.status = match (open.kind, open.submitted_at) {
        (Kind::Refund, _) | (_, Some(_)) => Status::Pending,
        (_, None) => Status::Created,
    };
    open.updated_at = Some(open.submitted_at.unwrap_or(open.created_at));
    open.provider_transaction_id = None;
    open.failure_code = None;
    open.failure_message = None;
    open.failure_class = None;
    open.fee = None;
    open.risk = Risk::default();
}
