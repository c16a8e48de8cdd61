//! Balance transactions: payout reconciliation, balance change from activity, and the dashboard's balance export.
//!
//! A row is in the currency of the balance: gross, fee and net are of it. What the shopper saw stands beside it.

use chrono_tz::Tz;

use super::super::super::holds_card_number;
use super::super::columns::Columns;
use super::super::fields::Fields;
use super::super::moved::{Moved, direction_of};
use super::super::refusal::Refusal;
use super::super::rejection::{Fault, RejectCode};
use super::super::table::Table;
use super::super::{BillContext, Line, attributes, values};
use super::category::kind_of;
use super::{ORDER_KEYS, PROVIDER, STORE_KEYS, metadata};
use crate::domain::{LedgerKind, LedgerLine, MethodDetail};

/// Reader of one file of balance transactions.
pub struct StripeBalance<'a> {
    context: &'a BillContext<'a>,
    places: Places,
    zone: Tz,
}

/// Where each column stands.
struct Places {
    id: usize,
    created: usize,
    currency: usize,
    gross: usize,
    fee: Option<usize>,
    net: Option<usize>,
    category: Option<usize>,
    source: Option<usize>,
    description: Option<usize>,
    facing_amount: Option<usize>,
    facing_currency: Option<usize>,
    rate: Option<usize>,
    payout: Option<usize>,
    payout_on: Option<usize>,
    available: Option<usize>,
    intent: Option<usize>,
    charge: Option<usize>,
    customer: Option<usize>,
    method: Option<usize>,
    brand: Option<usize>,
    funding: Option<usize>,
    country: Option<usize>,
    wallet: Option<usize>,
    order: Option<usize>,
    store: Option<usize>,
}

const CREATED_UTC: [&str; 2] = ["created_utc", "Created (UTC)"];

impl Places {
    fn of(columns: &Columns) -> Result<Self, Refusal> {
        let find = |name: &str| columns.find(&[name]);
        Ok(Self {
            id: columns.need(&["balance_transaction_id", "id"])?,
            created: columns.find(&CREATED_UTC).map_or_else(|| columns.need(&["created"]), Ok)?,
            currency: columns.need(&["currency"])?,
            gross: columns.need(&["gross", "amount"])?,
            fee: columns.find(&["fee", "fees"]),
            net: find("net"),
            category: columns.find(&["reporting_category", "type"]),
            source: columns.find(&["source_id", "source"]),
            description: find("description"),
            facing_amount: find("customer_facing_amount"),
            facing_currency: find("customer_facing_currency"),
            rate: find("exchange_rate"),
            payout: columns.find(&["automatic_payout_id", "payout_id", "transfer"]),
            payout_on: columns.find(&[
                "automatic_payout_effective_at_utc",
                "automatic_payout_effective_at",
                "Transfer Date (UTC)",
            ]),
            available: columns.find(&["available_on_utc", "available_on", "Available On (UTC)"]),
            intent: find("payment_intent_id"),
            charge: find("charge_id"),
            customer: find("customer_id"),
            method: find("payment_method_type"),
            brand: find("card_brand"),
            funding: find("card_funding"),
            country: find("card_country"),
            wallet: columns.find(&["card_wallet", "wallet"]),
            order: metadata(columns, &ORDER_KEYS),
            store: metadata(columns, &STORE_KEYS),
        })
    }
}

impl<'a> Table<'a> for StripeBalance<'a> {
    const PROVIDER: &'static str = PROVIDER;
    const HEADERS: &'static [&'static [&'static str]] = &[
        &["balance_transaction_id", "currency", "gross"],
        &["id", "type", "source", "amount", "fee", "net", "currency"],
    ];

    fn begin(context: &'a BillContext<'a>, columns: &Columns) -> Result<Self, Refusal> {
        let places = Places::of(columns)?;
        // `created` is in the zone that the report was asked for, which it does not say; Stripe's own default is UTC.
        let says_utc = columns.find(&CREATED_UTC).is_some();
        let zone = if says_utc { Tz::UTC } else { context.hints.zone.unwrap_or(Tz::UTC) };
        Ok(Self { context, places, zone })
    }

    fn row(&mut self, fields: &Fields<'_>, line: u64) -> Result<Line, Fault> {
        let row = Row { context: self.context, places: &self.places, zone: self.zone, fields };
        row.ledger_line(line).map(|row| Line::Row(Box::new(row)))
    }

    fn ids(&self) -> Vec<Option<usize>> {
        let places = &self.places;
        vec![Some(places.id), places.source, places.charge, places.intent, places.order]
    }

    fn shown(&self) -> Vec<Option<usize>> {
        let places = &self.places;
        vec![
            Some(places.created),
            Some(places.currency),
            Some(places.gross),
            places.fee,
            places.net,
            places.category,
            places.payout,
        ]
    }

    fn about(&self) -> (&'static str, String) {
        let itemized = if self.places.payout.is_some() { "balance (payouts)" } else { "balance" };
        (itemized, self.zone.name().to_owned())
    }
}

/// One balance transaction.
struct Row<'a> {
    context: &'a BillContext<'a>,
    places: &'a Places,
    zone: Tz,
    fields: &'a Fields<'a>,
}

impl Row<'_> {
    fn at(&self, place: Option<usize>) -> &str {
        self.fields.at(place)
    }

    fn ledger_line(&self, number: u64) -> Result<LedgerLine, Fault> {
        let (places, fields) = (self.places, self.fields);
        if holds_card_number(self.at(places.description)) {
            return Err(Fault::new(fields.name(places.description), RejectCode::CardNumber));
        }
        let currency = fields.currency(Some(places.currency))?;
        let gross = fields.needed_money(Some(places.gross), currency)?;
        let fee = fields.money(places.fee, currency)?;
        let net = fields.money(places.net, currency)?;
        if let (Some(fee), Some(net)) = (fee, net)
            && gross - fee != net
        {
            return Err(fields.fault(places.net, RejectCode::DoesNotAddUp));
        }
        let created = Some(places.created);
        let posted_at =
            values::zoned_minute(fields.name(created), self.at(created), self.zone, self.context.now)?;
        let kind = kind_of(self.at(places.category), self.at(places.source));
        let row = Moved {
            line_id: fields.id(Some(places.id))?,
            posted_at,
            source_day: Some(posted_at.with_timezone(&self.zone).date_naive()),
            account: self.context.account(),
            provider: PROVIDER,
            kind,
            direction: direction_of(gross, kind),
            currency,
            gross: gross.abs(),
        };
        let source = fields.some_id(places.source)?;
        let charge = fields.some_id(places.charge)?.or(fields.some_id(places.intent)?);
        let is_payout = kind == LedgerKind::Payout;
        Ok(LedgerLine {
            fee,
            net: net.or_else(|| fee.map(|fee| gross - fee)),
            payout_id: if is_payout { source.clone() } else { fields.some_id(places.payout)? },
            parent_transaction_id: charge.filter(|charge| Some(charge) != source.as_ref()),
            provider_transaction_id: source,
            order_id: values::text(self.at(places.order)),
            exchange_rate: values::text(self.at(places.rate)),
            method: values::slug(self.at(places.method)),
            method_detail: self.method_detail(),
            customer: self.customer(),
            description: values::text(self.at(places.description)),
            attributes: self.attributes(),
            ..row.line(self.context, number)
        })
    }

    fn method_detail(&self) -> MethodDetail {
        let lower = |place| values::text(&self.at(place).to_ascii_lowercase());
        MethodDetail {
            bank: None,
            card_brand: lower(self.places.brand),
            funding: lower(self.places.funding),
            wallet: lower(self.places.wallet),
        }
    }

    fn customer(&self) -> Option<String> {
        let customer = self.at(self.places.customer);
        (!customer.is_empty()).then(|| self.context.pseudonyms.of("customer", PROVIDER, customer))
    }

    /// What has no field of its own, sorted by key.
    fn attributes(&self) -> Vec<(String, String)> {
        let places = self.places;
        let facing = self.at(places.facing_currency).to_ascii_uppercase();
        attributes(&[
            ("available_on", self.at(places.available)),
            ("card_country", self.at(places.country)),
            ("customer_amount", self.at(places.facing_amount)),
            ("customer_currency", &facing),
            ("payment_intent", self.at(places.intent)),
            ("payout_on", self.at(places.payout_on)),
            ("reporting_category", self.at(places.category)),
            ("store_code", self.at(places.store)),
        ])
    }
}
