use crate::domain::LedgerKind;

/// What a reporting category, or a type of the older export, is for us. Of those that Stripe may add later only the money
/// is known: an adjustment, with its word kept.
pub fn kind_of(category: &str, source: &str) -> LedgerKind {
    match category {
        "charge" | "payment" | "charge_failure" | "payment_failure_refund" | "partial_capture_reversal" => {
            LedgerKind::Payment
        }
        "refund" | "payment_refund" | "refund_failure" | "payment_reversal" => LedgerKind::Refund,
        "dispute" | "dispute_reversal" => LedgerKind::Dispute,
        "fee" | "stripe_fee" | "network_cost" | "tax" | "tax_fee" | "stripe_fx_fee" => LedgerKind::Fee,
        "payout" | "payout_reversal" | "payout_cancel" | "payout_failure" => LedgerKind::Payout,
        "transfer"
        | "transfer_reversal"
        | "transfer_refund"
        | "transfer_cancel"
        | "transfer_failure"
        | "connect_collection_transfer"
        | "topup"
        | "topup_reversal"
        | "platform_earning"
        | "platform_earning_refund"
        | "application_fee"
        | "application_fee_refund"
        | "contribution"
        | "advance"
        | "advance_funding" => LedgerKind::Transfer,
        // The older export calls a dispute an adjustment, and names the dispute as its source.
        "adjustment" if source.starts_with("dp_") || source.starts_with("du_") => LedgerKind::Dispute,
        _ => LedgerKind::Adjustment,
    }
}
