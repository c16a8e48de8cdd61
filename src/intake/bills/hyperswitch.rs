//! Hyperswitch's payments report: one row per attempt, failed ones among them. There is no processor's fee in it.

use chrono_tz::Tz;

use super::super::holds_card_number;
use super::attempt::{Attempt, failed};
use super::columns::Columns;
use super::fields::Fields;
use super::refusal::Refusal;
use super::rejection::{Fault, RejectCode};
use super::table::Table;
use super::{BillContext, Line, attributes, values};
use crate::domain::{MethodDetail, Status, Transaction, Word};

const PROVIDER: &str = "hyperswitch";

/// Reader of one report.
pub struct Hyperswitch<'a> {
    context: &'a BillContext<'a>,
    places: Places,
    zone: Tz,
}

/// Where each column stands.
struct Places {
    payment: usize,
    attempt: usize,
    status: usize,
    amount: usize,
    currency: usize,
    connector: usize,
    connector_transaction: Option<usize>,
    customer: Option<usize>,
    created: usize,
    modified: Option<usize>,
    error_code: Option<usize>,
    error_message: Option<usize>,
    method: Option<usize>,
    method_type: Option<usize>,
    network: Option<usize>,
    fingerprint: Option<usize>,
    order: Option<usize>,
    profile: Option<usize>,
    description: Option<usize>,
}

impl<'a> Table<'a> for Hyperswitch<'a> {
    const PROVIDER: &'static str = PROVIDER;
    const HEADERS: &'static [&'static [&'static str]] =
        &[&["payment_id", "attempt_id", "status", "amount", "currency", "connector"]];

    fn begin(context: &'a BillContext<'a>, columns: &Columns) -> Result<Self, Refusal> {
        let find = |name: &str| columns.find(&[name]);
        let places = Places {
            payment: columns.need(&["payment_id"])?,
            attempt: columns.need(&["attempt_id"])?,
            status: columns.need(&["status"])?,
            amount: columns.need(&["amount"])?,
            currency: columns.need(&["currency"])?,
            connector: columns.need(&["connector"])?,
            connector_transaction: find("connector_transaction_id"),
            customer: find("customer_id"),
            created: columns.need(&["created_at", "created"])?,
            modified: columns.find(&["modified_at", "last_synced", "updated"]),
            error_code: find("error_code"),
            error_message: columns.find(&["error_message", "error_reason"]),
            method: find("payment_method"),
            method_type: find("payment_method_type"),
            network: find("card_network"),
            fingerprint: find("fingerprint_id"),
            order: find("merchant_order_reference_id"),
            profile: find("profile_id"),
            description: find("description"),
        };
        Ok(Self { context, places, zone: context.hints.zone.unwrap_or(Tz::UTC) })
    }

    fn row(&mut self, fields: &Fields<'_>, _line: u64) -> Result<Line, Fault> {
        let places = &self.places;
        for text in [places.description, places.error_message] {
            if holds_card_number(fields.at(text)) {
                return Err(Fault::new(fields.name(text), RejectCode::CardNumber));
            }
        }
        let currency = fields.currency(Some(places.currency))?;
        let created_at = self.time(fields, Some(places.created))?;
        let updated_at = match fields.at(places.modified) {
            "" => created_at,
            _ => self.time(fields, places.modified)?,
        };
        let attempt = Attempt {
            transaction_id: fields.id(Some(places.attempt))?,
            created_at,
            updated_at,
            status: status(fields, places.status)?,
            amount: fields.paid(Some(places.amount), currency)?,
            account: self.context.account(),
            provider: values::slug(fields.at(Some(places.connector))),
        };
        let hash = |kind: &str, place| {
            let cell = fields.at(place);
            (!cell.is_empty()).then(|| self.context.pseudonyms.of(kind, PROVIDER, cell))
        };
        let row = Transaction {
            aggregator: Some(Word::of(PROVIDER)),
            payment_id: fields.some_id(Some(places.payment))?,
            attempt: number_of(fields.at(Some(places.attempt))),
            provider_transaction_id: fields.some_id(places.connector_transaction)?,
            order_id: values::text(fields.at(places.order)),
            method: values::slug(fields.at(places.method)),
            method_detail: self.method_detail(fields),
            customer: hash("customer", places.customer),
            payment_fingerprint: hash("payment_fingerprint", places.fingerprint),
            attributes: attributes(&[
                ("method_type", fields.at(places.method_type)),
                ("profile", fields.at(places.profile)),
            ]),
            ..attempt.transaction(self.context)
        };
        let [code, message] = [places.error_code, places.error_message].map(|at| values::text(fields.at(at)));
        Ok(Line::Transaction(Box::new(failed(row, code, message))))
    }

    fn ids(&self) -> Vec<Option<usize>> {
        let places = &self.places;
        vec![Some(places.payment), Some(places.attempt), places.connector_transaction, places.order]
    }

    fn shown(&self) -> Vec<Option<usize>> {
        let places = &self.places;
        let needed = [places.status, places.amount, places.currency, places.connector, places.created];
        needed.into_iter().map(Some).chain([places.error_code]).collect()
    }

    fn about(&self) -> (&'static str, String) {
        ("payments report", self.zone.name().to_owned())
    }
}

impl Hyperswitch<'_> {
    fn time(&self, fields: &Fields<'_>, place: Option<usize>) -> Result<crate::domain::Instant, Fault> {
        values::zoned_time(fields.name(place), fields.at(place), self.zone, self.context.now)
    }

    fn method_detail(&self, fields: &Fields<'_>) -> MethodDetail {
        let kind = fields.at(self.places.method_type).to_ascii_lowercase();
        let is_wallet = fields.at(self.places.method).eq_ignore_ascii_case("wallet");
        MethodDetail {
            bank: None,
            card_brand: values::text(&fields.at(self.places.network).to_ascii_lowercase()),
            funding: if matches!(kind.as_str(), "credit" | "debit") { Some(kind.clone()) } else { None },
            wallet: if is_wallet { values::text(&kind) } else { None },
        }
    }
}

/// States of attempts, and those of payments, which older reports print.
fn status(fields: &Fields<'_>, place: usize) -> Result<Status, Fault> {
    let word = fields.at(Some(place)).to_ascii_lowercase();
    Ok(match word.as_str() {
        "charged"
        | "succeeded"
        | "partial_charged"
        | "partially_captured"
        | "auto_refunded"
        | "partial_charged_and_chargeable"
        | "partially_captured_and_capturable" => Status::Succeeded,
        "failed"
        | "failure"
        | "router_declined"
        | "authentication_failed"
        | "authorization_failed"
        | "capture_failed"
        | "integrity_failure" => Status::Failed,
        "voided" | "voided_post_charge" | "cancelled" | "cancelled_post_capture" => Status::Cancelled,
        "expired" => Status::Expired,
        "authorized"
        | "partially_authorized"
        | "requires_capture"
        | "void_failed"
        | "partially_authorized_and_requires_capture" => Status::Authorized,
        "authentication_pending" | "requires_customer_action" | "device_data_collection_pending" => {
            Status::ActionRequired
        }
        "started"
        | "payment_method_awaited"
        | "confirmation_awaited"
        | "requires_payment_method"
        | "requires_confirmation" => Status::Created,
        "pending"
        | "processing"
        | "authorizing"
        | "capture_initiated"
        | "void_initiated"
        | "cod_initiated"
        | "authentication_successful"
        | "unresolved"
        | "requires_merchant_action"
        | "conflicted" => Status::Pending,
        _ => return Err(fields.fault(Some(place), RejectCode::UnknownStatus)),
    })
}

/// Which attempt of its payment: the number at the end of `pay_x_2`.
fn number_of(attempt: &str) -> Option<u32> {
    attempt.rsplit_once('_')?.1.parse().ok()
}
