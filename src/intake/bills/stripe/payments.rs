//! The dashboard's payments export: one row per payment, with its state; the money itself stands in balance files.

use chrono_tz::Tz;

use super::super::super::holds_card_number;
use super::super::attempt::{Attempt, failed};
use super::super::columns::Columns;
use super::super::fields::Fields;
use super::super::refusal::Refusal;
use super::super::rejection::{Fault, RejectCode};
use super::super::table::Table;
use super::super::{BillContext, Line, attributes, values};
use super::{ORDER_KEYS, PROVIDER, STORE_KEYS, metadata};
use crate::domain::{MethodDetail, Status, Transaction, Word};

/// Reader of one payments export.
pub struct StripePayments<'a> {
    context: &'a BillContext<'a>,
    places: Places,
    zone: Tz,
}

/// Where each column stands.
struct Places {
    id: usize,
    created: usize,
    amount: usize,
    currency: usize,
    status: usize,
    refunded: Option<usize>,
    fee: Option<usize>,
    fee_currency: Option<usize>,
    intent: Option<usize>,
    customer: Option<usize>,
    description: Option<usize>,
    message: Option<usize>,
    decline: Option<usize>,
    mode: Option<usize>,
    captured: Option<usize>,
    method: Option<usize>,
    brand: Option<usize>,
    funding: Option<usize>,
    order: Option<usize>,
    store: Option<usize>,
}

const CREATED_UTC: [&str; 3] = ["created_utc", "Created (UTC)", "Created date (UTC)"];

impl Places {
    fn of(columns: &Columns) -> Result<Self, Refusal> {
        let find = |name: &str| columns.find(&[name]);
        Ok(Self {
            id: columns.need(&["id"])?,
            created: columns
                .find(&CREATED_UTC)
                .map_or_else(|| columns.need(&["created", "created date"]), Ok)?,
            amount: columns.need(&["amount"])?,
            currency: columns.need(&["currency"])?,
            status: columns.need(&["status"])?,
            refunded: find("amount refunded"),
            fee: find("fee"),
            fee_currency: find("converted currency"),
            intent: columns.find(&["paymentintent id", "payment_intent_id"]),
            customer: find("customer id"),
            description: find("description"),
            message: columns.find(&["seller message", "failure_message"]),
            decline: columns.find(&["decline reason", "failure_code"]),
            mode: find("mode"),
            captured: find("captured"),
            method: columns.find(&["payment source type", "payment_method_type"]),
            brand: find("card brand"),
            funding: find("card funding"),
            order: metadata(columns, &ORDER_KEYS),
            store: metadata(columns, &STORE_KEYS),
        })
    }
}

impl<'a> Table<'a> for StripePayments<'a> {
    const PROVIDER: &'static str = PROVIDER;
    const HEADERS: &'static [&'static [&'static str]] =
        &[&["id", "amount", "amount refunded", "currency", "status"]];

    fn begin(context: &'a BillContext<'a>, columns: &Columns) -> Result<Self, Refusal> {
        let places = Places::of(columns)?;
        let says_utc = columns.find(&CREATED_UTC).is_some();
        let zone = if says_utc { Tz::UTC } else { context.hints.zone.unwrap_or(Tz::UTC) };
        Ok(Self { context, places, zone })
    }

    fn row(&mut self, fields: &Fields<'_>, _line: u64) -> Result<Line, Fault> {
        let places = &self.places;
        for text in [places.description, places.message] {
            if holds_card_number(fields.at(text)) {
                return Err(Fault::new(fields.name(text), RejectCode::CardNumber));
            }
        }
        let currency = fields.currency(Some(places.currency))?;
        let created = Some(places.created);
        let created_at =
            values::zoned_minute(fields.name(created), fields.at(created), self.zone, self.context.now)?;
        let attempt = Attempt {
            transaction_id: fields.id(Some(places.id))?,
            created_at,
            updated_at: created_at,
            status: self.status(fields)?,
            amount: fields.paid(Some(places.amount), currency)?,
            account: self.context.account(),
            provider: Some(Word::of(PROVIDER)),
        };
        let customer = fields.at(places.customer);
        let row = Transaction {
            provider_transaction_id: fields.some_id(Some(places.id))?,
            payment_id: fields.some_id(places.intent)?,
            order_id: values::text(fields.at(places.order)),
            method: values::slug(fields.at(places.method)),
            method_detail: MethodDetail {
                card_brand: values::text(&fields.at(places.brand).to_ascii_lowercase()),
                funding: values::text(&fields.at(places.funding).to_ascii_lowercase()),
                ..MethodDetail::default()
            },
            fee: self.fee(fields)?,
            customer: (!customer.is_empty())
                .then(|| self.context.pseudonyms.of("customer", PROVIDER, customer)),
            attributes: attributes(&[
                ("amount_refunded", fields.at(places.refunded)),
                ("store_code", fields.at(places.store)),
            ]),
            test: fields.at(places.mode).eq_ignore_ascii_case("test"),
            ..attempt.transaction(self.context)
        };
        let [code, message] = [places.decline, places.message].map(|place| values::text(fields.at(place)));
        Ok(Line::Transaction(Box::new(failed(row, code, message))))
    }

    fn ids(&self) -> Vec<Option<usize>> {
        vec![Some(self.places.id), self.places.intent, self.places.order]
    }

    fn shown(&self) -> Vec<Option<usize>> {
        let places = &self.places;
        vec![
            Some(places.created),
            Some(places.amount),
            Some(places.currency),
            Some(places.status),
            places.mode,
        ]
    }

    fn about(&self) -> (&'static str, String) {
        ("payments", self.zone.name().to_owned())
    }
}

impl StripePayments<'_> {
    fn status(&self, fields: &Fields<'_>) -> Result<Status, Fault> {
        let place = Some(self.places.status);
        let word = fields.at(place).to_ascii_lowercase().replace([' ', '-'], "_");
        let uncaptured = fields.at(self.places.captured).eq_ignore_ascii_case("false");
        Ok(match word.as_str() {
            "paid" | "succeeded" if uncaptured => Status::Authorized,
            "paid" | "succeeded" | "refunded" | "partial_refund" | "partially_refunded" | "disputed" => {
                Status::Succeeded
            }
            // A refund or a dispute comes after the payment, whose own state stays paid.
            _ if word.starts_with("refund") || word.starts_with("dispute") => Status::Succeeded,
            "failed" | "declined" => Status::Failed,
            "requires_payment_method" if !fields.at(self.places.decline).is_empty() => Status::Failed,
            "requires_payment_method" | "requires_confirmation" | "incomplete" => Status::Created,
            "blocked" => Status::Blocked,
            "pending" | "processing" => Status::Pending,
            "requires_action" => Status::ActionRequired,
            "requires_capture" | "uncaptured" => Status::Authorized,
            "canceled" | "cancelled" => Status::Cancelled,
            "expired" => Status::Expired,
            _ => return Err(fields.fault(place, RejectCode::UnknownStatus)),
        })
    }

    /// The fee, where it is in the payment's own currency.
    fn fee(&self, fields: &Fields<'_>) -> Result<Option<i64>, Fault> {
        let own = fields.currency(Some(self.places.currency))?;
        let converted = fields.at(self.places.fee_currency);
        if !converted.is_empty() && !converted.eq_ignore_ascii_case(own.code()) {
            return Ok(None);
        }
        fields.money(self.places.fee, own)
    }
}
