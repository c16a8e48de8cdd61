//! The payments accounting report: every step of every payment. Only it tells of failures.
//!
//! The step that ends an attempt (refused, cancelled, expired, sent for settlement) becomes the attempt; the report does
//! not say when it began, so it begins when it ended. What was settled is the settlement report's to tell: those rows are
//! witnesses.

use super::super::attempt::{Attempt, failed};
use super::super::columns::Columns;
use super::super::fields::Fields;
use super::super::moved::{Moved, signed};
use super::super::refusal::Refusal;
use super::super::rejection::{Fault, RejectCode};
use super::super::table::Table;
use super::super::{BillContext, Line, NotData, attributes, values};
use super::PROVIDER;
use super::kinds::{FeePlaces, kind_of, method_of};
use super::zones::abbreviated_time;
use crate::domain::{Currency, Direction, Instant, LedgerKind, LedgerLine, Money, Status, Transaction, Word};

/// Reader of one report.
pub struct AdyenAccounting<'a> {
    context: &'a BillContext<'a>,
    places: Places,
}

/// Where each column stands.
struct Places {
    account: usize,
    psp: usize,
    merchant: Option<usize>,
    method: Option<usize>,
    variant: Option<usize>,
    booked: usize,
    zone: Option<usize>,
    kind: usize,
    main: [Option<usize>; 2],
    currency: Option<usize>,
    /// Received, authorised, captured, original: whichever is filled is the attempt's amount.
    amounts: [Option<usize>; 4],
    settle_currency: Option<usize>,
    payable: Option<usize>,
    fees: FeePlaces,
    modification: Option<usize>,
    modification_merchant: Option<usize>,
    reason: Option<usize>,
    shopper: Option<usize>,
}

impl<'a> Table<'a> for AdyenAccounting<'a> {
    const PROVIDER: &'static str = PROVIDER;
    const HEADERS: &'static [&'static [&'static str]] =
        &[&["Merchant Account", "Psp Reference", "Booking Date", "Record Type"]];

    fn begin(context: &'a BillContext<'a>, columns: &Columns) -> Result<Self, Refusal> {
        let find = |name: &str| columns.find(&[name]);
        let places = Places {
            account: columns.need(&["Merchant Account"])?,
            psp: columns.need(&["Psp Reference"])?,
            merchant: find("Merchant Reference"),
            method: find("Payment Method"),
            variant: find("Payment Method Variant"),
            booked: columns.need(&["Booking Date"])?,
            zone: columns.find(&["TimeZone", "Booking Date TimeZone"]),
            kind: columns.need(&["Record Type"])?,
            main: [find("Main Amount"), find("Main Currency")],
            currency: find("Payment Currency"),
            amounts: [
                columns.find(&["Captured (PC)"]),
                columns.find(&["Authorised (PC)", "Authorized (PC)"]),
                columns.find(&["Received (PC)"]),
                columns.find(&["Original Amount"]),
            ],
            settle_currency: find("Settlement Currency"),
            payable: find("Payable (SC)"),
            fees: FeePlaces::of(columns, "SC"),
            modification: columns.find(&["Modification Psp Reference", "Modification Reference"]),
            modification_merchant: find("Modification Merchant Reference"),
            reason: columns.find(&["Acquirer Response", "Raw Acquirer Response", "Refusal Reason"]),
            shopper: find("Shopper Reference"),
        };
        Ok(Self { context, places })
    }

    fn row(&mut self, fields: &Fields<'_>, line: u64) -> Result<Line, Fault> {
        let word = fields.at(Some(self.places.kind));
        if let Some(status) = outcome_of(word) {
            return self.attempt(fields, status).map(|row| Line::Transaction(Box::new(row)));
        }
        match kind_of(word) {
            Some((kind, direction)) => {
                self.settled(fields, line, kind, direction).map(|row| Line::Witness(Box::new(row)))
            }
            None if word.is_empty() => Err(fields.fault(Some(self.places.kind), RejectCode::UnknownKind)),
            None => Ok(Line::NotData(NotData::Passed)),
        }
    }

    fn ids(&self) -> Vec<Option<usize>> {
        vec![Some(self.places.psp), self.places.merchant, self.places.modification]
    }

    fn shown(&self) -> Vec<Option<usize>> {
        let places = &self.places;
        let needed = [places.account, places.booked, places.kind].map(Some);
        needed.into_iter().chain(places.main).chain(places.amounts).chain([places.currency]).collect()
    }

    fn about(&self) -> (&'static str, String) {
        let zone = self.context.hints.zone.filter(|_| self.places.zone.is_none());
        ("payments accounting", zone.map_or_else(String::new, |zone| zone.name().to_owned()))
    }
}

/// The steps that end an attempt. `SentForSettle` is what a captured payment comes to; its settlement follows days later.
fn outcome_of(word: &str) -> Option<Status> {
    Some(match word.to_ascii_lowercase().as_str() {
        "refused" | "error" => Status::Failed,
        "cancelled" => Status::Cancelled,
        "expired" => Status::Expired,
        "sentforsettle" => Status::Succeeded,
        _ => return None,
    })
}

impl AdyenAccounting<'_> {
    fn attempt(&self, fields: &Fields<'_>, status: Status) -> Result<Transaction, Fault> {
        let places = &self.places;
        let psp = fields.id(Some(places.psp))?;
        let at = self.time(fields)?;
        let captured = fields.at(places.modification);
        // One payment may be captured in parts, each of which is sent for settlement.
        let part = status == Status::Succeeded && !captured.is_empty() && captured != psp;
        let attempt = Attempt {
            transaction_id: if part { format!("{psp}/{captured}") } else { psp.clone() },
            created_at: at,
            updated_at: at,
            status,
            amount: self.amount(fields)?,
            account: fields.at(Some(places.account)),
            provider: Some(Word::of(PROVIDER)),
        };
        let (method, method_detail) = method_of(fields.at(places.method), fields.at(places.variant));
        let shopper = fields.at(places.shopper);
        let row = Transaction {
            provider_transaction_id: Some(psp),
            order_id: values::text(fields.at(places.merchant)),
            method,
            method_detail,
            customer: (!shopper.is_empty())
                .then(|| self.context.pseudonyms.of("customer", PROVIDER, shopper)),
            ..attempt.transaction(self.context)
        };
        let code = values::text(fields.at(Some(places.kind)));
        Ok(failed(row, code, values::text(fields.at(places.reason))))
    }

    /// The main amount where the report has it, else what the step moved between Adyen's registers.
    fn amount(&self, fields: &Fields<'_>) -> Result<Money, Fault> {
        let [main, main_currency] = self.places.main;
        let filled =
            |place: &Option<usize>| fields.at(*place).bytes().any(|byte| (b'1'..=b'9').contains(&byte));
        let registers = self.places.amounts.into_iter().find(filled);
        let (place, currency) = match (fields.at(main), registers) {
            ("", Some(register)) => (register, self.places.currency),
            ("", None) => return Err(Fault::new("Main Amount", RejectCode::Missing)),
            _ => (main, main_currency.or(self.places.currency)),
        };
        let currency = fields.currency(currency)?;
        let amount = fields.needed_money(place, currency)?.abs();
        Money::from_minor(amount, currency).map_err(|_| fields.fault(place, RejectCode::AmountOutOfRange))
    }

    fn settled(
        &self,
        fields: &Fields<'_>,
        number: u64,
        kind: LedgerKind,
        direction: Direction,
    ) -> Result<LedgerLine, Fault> {
        let places = &self.places;
        let amount = self.amount(fields)?;
        let at = self.time(fields)?;
        let parts = [Some(places.psp), Some(places.kind), places.modification].map(|place| fields.at(place));
        let booked = Some(places.booked);
        let row = Moved {
            line_id: values::id(fields.name(Some(places.psp)), &parts.join("/"))?,
            posted_at: at,
            source_day: Some(values::wall_clock(fields.name(booked), fields.at(booked), false)?.date()),
            account: fields.at(Some(places.account)),
            provider: PROVIDER,
            kind,
            direction,
            currency: amount.currency(),
            gross: amount.minor(),
        };
        let settled = match fields.at(places.payable) {
            "" => None,
            _ => Some(fields.currency(places.settle_currency)?),
        };
        let payable = match settled {
            Some(currency) => fields.money(places.payable, currency)?,
            None => None,
        };
        let own = settled.filter(|currency| *currency == amount.currency());
        let fee = own.map(|currency: Currency| places.fees.sum(fields, currency)).transpose()?.flatten();
        let (psp, modification) = (fields.some_id(Some(places.psp))?, fields.some_id(places.modification)?);
        let of_payment = kind == LedgerKind::Payment;
        Ok(LedgerLine {
            fee,
            net: fee.map(|fee| signed(amount.minor(), direction) - fee),
            settle_currency: settled,
            settle_amount: payable,
            parent_transaction_id: if of_payment { None } else { psp.clone() },
            provider_transaction_id: if of_payment { psp } else { modification.or(psp) },
            order_id: values::text(fields.at(places.merchant)),
            attributes: attributes(&[
                ("merchant_refund_id", fields.at(places.modification_merchant)),
                ("record_type", fields.at(Some(places.kind))),
            ]),
            ..row.line(self.context, number)
        })
    }

    fn time(&self, fields: &Fields<'_>) -> Result<Instant, Fault> {
        let booked = Some(self.places.booked);
        let (name, cell) = (fields.name(booked), fields.at(booked));
        let hint = self.context.hints.zone;
        match (self.places.zone, hint) {
            (None, Some(zone)) => values::zoned_time(name, cell, zone, self.context.now),
            (zone, hint) => {
                abbreviated_time((name, cell), (fields.name(zone), fields.at(zone)), hint, self.context.now)
            }
        }
    }
}
