//! The settlement details report: what each batch consists of. It holds no failures.
//!
//! Gross stands in the shopper's currency, net and fees in that of the settlement. Where the two differ the line is of
//! the shopper's currency and has no fee and net of its own: a sum of two currencies would be none.

use std::collections::HashMap;

use super::super::columns::Columns;
use super::super::fields::Fields;
use super::super::moved::{Moved, direction_of, signed};
use super::super::refusal::Refusal;
use super::super::rejection::{Fault, RejectCode};
use super::super::table::Table;
use super::super::{BillContext, Line, NotData, attributes, values};
use super::PROVIDER;
use super::kinds::{FeePlaces, kind_of, method_of};
use super::zones::abbreviated_time;
use crate::domain::{Currency, Direction, LedgerKind, LedgerLine};

/// Different rows of the account itself in one report; a batch has some ten.
const ACCOUNT_ROWS_MAX: usize = 100_000;

/// Reader of one report.
pub struct AdyenSettlement<'a> {
    context: &'a BillContext<'a>,
    places: Places,
    /// How often each row without a payment was met: such rows may be identical and are nevertheless two.
    account_rows: HashMap<String, u64>,
}

/// Where each column stands.
struct Places {
    account: usize,
    psp: usize,
    merchant: Option<usize>,
    merchant_order: Option<usize>,
    method: Option<usize>,
    variant: Option<usize>,
    created: usize,
    zone: usize,
    booked: Option<usize>,
    booked_zone: Option<usize>,
    kind: usize,
    modification: Option<usize>,
    modification_merchant: Option<usize>,
    gross_currency: usize,
    gross: [usize; 2],
    rate: Option<usize>,
    net_currency: usize,
    net: [usize; 2],
    fees: FeePlaces,
    batch: Option<usize>,
    dispute: Option<usize>,
}

impl<'a> Table<'a> for AdyenSettlement<'a> {
    const PROVIDER: &'static str = PROVIDER;
    const HEADERS: &'static [&'static [&'static str]] =
        &[&["Psp Reference", "Type", "Gross Currency", "Net Currency", "Net Debit (NC)", "Net Credit (NC)"]];

    fn begin(context: &'a BillContext<'a>, columns: &Columns) -> Result<Self, Refusal> {
        let find = |name: &str| columns.find(&[name]);
        let need = |name: &str| columns.need(&[name]);
        let places = Places {
            account: need("Merchant Account")?,
            psp: need("Psp Reference")?,
            merchant: find("Merchant Reference"),
            merchant_order: find("Merchant Order Reference"),
            method: find("Payment Method"),
            variant: find("Payment Method Variant"),
            created: need("Creation Date")?,
            zone: columns.need(&["TimeZone", "Creation Date TimeZone"])?,
            booked: find("Booking Date"),
            booked_zone: columns.find(&["Booking Date TimeZone", "Booking Date Time Zone"]),
            kind: need("Type")?,
            modification: find("Modification Reference"),
            modification_merchant: find("Modification Merchant Reference"),
            gross_currency: need("Gross Currency")?,
            gross: [need("Gross Debit (GC)")?, need("Gross Credit (GC)")?],
            rate: find("Exchange Rate"),
            net_currency: need("Net Currency")?,
            net: [need("Net Debit (NC)")?, need("Net Credit (NC)")?],
            fees: FeePlaces::of(columns, "NC"),
            batch: find("Batch Number"),
            dispute: find("Dispute Reference"),
        };
        Ok(Self { context, places, account_rows: HashMap::new() })
    }

    fn row(&mut self, fields: &Fields<'_>, line: u64) -> Result<Line, Fault> {
        let (gross, net) = (self.sides(fields, true)?, self.sides(fields, false)?);
        let word = fields.at(Some(self.places.kind));
        if word.is_empty() {
            return Err(fields.fault(Some(self.places.kind), RejectCode::UnknownKind));
        }
        let known = kind_of(word);
        if gross.is_none() && net.is_none() && known.is_none() {
            return Ok(Line::NotData(NotData::Passed));
        }
        let (kind, natural) = known.unwrap_or((LedgerKind::Adjustment, Direction::In));
        let row = self.ledger_line(fields, line, kind, natural, gross, net)?;
        Ok(Line::Row(Box::new(row)))
    }

    fn ids(&self) -> Vec<Option<usize>> {
        let places = &self.places;
        vec![Some(places.psp), places.merchant, places.modification, places.merchant_order]
    }

    fn shown(&self) -> Vec<Option<usize>> {
        let places = &self.places;
        let amounts = places.gross.into_iter().chain(places.net);
        let needed = [places.account, places.kind, places.created, places.zone];
        needed
            .into_iter()
            .chain(amounts)
            .chain([places.gross_currency, places.net_currency])
            .map(Some)
            .collect()
    }

    fn about(&self) -> (&'static str, String) {
        ("settlement details", String::new())
    }
}

/// What goes to Adyen and what to the shop.
#[derive(Default)]
struct Shares {
    fee: Option<i64>,
    net: Option<i64>,
    /// The fee where it is of another currency than the line, in that one's minor units.
    other_fee: Option<String>,
}

/// An amount with its sign, and its currency.
type Side = (i64, Currency);

impl AdyenSettlement<'_> {
    /// Credit less debit, of gross or net; `None` where neither is filled.
    fn sides(&self, fields: &Fields<'_>, gross: bool) -> Result<Option<Side>, Fault> {
        let places = &self.places;
        let (currency, [debit, credit]) =
            if gross { (places.gross_currency, places.gross) } else { (places.net_currency, places.net) };
        if fields.at(Some(debit)).is_empty() && fields.at(Some(credit)).is_empty() {
            return Ok(None);
        }
        let currency = fields.currency(Some(currency))?;
        let out = fields.unsigned_money(Some(debit), currency)?.unwrap_or(0);
        let into = fields.unsigned_money(Some(credit), currency)?.unwrap_or(0);
        Ok(Some((into - out, currency)))
    }

    fn ledger_line(
        &mut self,
        fields: &Fields<'_>,
        number: u64,
        kind: LedgerKind,
        natural: Direction,
        gross: Option<Side>,
        net: Option<Side>,
    ) -> Result<LedgerLine, Fault> {
        let line_id = self.line_id(fields)?;
        let places = &self.places;
        let missing = || Fault::new(fields.name(Some(places.net[1])), RejectCode::Missing);
        let (amount, currency) = gross.or(net).ok_or_else(missing)?;
        let direction = match (gross, net) {
            // Some reports print a payment under debit although it is credited: then its kind decides.
            (Some((gross, _)), Some((net, _))) if gross != 0 && net != 0 && (gross < 0) != (net < 0) => {
                natural
            }
            _ => direction_of(amount, kind),
        };
        let created = Some(places.created);
        let posted_at = self.time(fields, created, Some(places.zone))?;
        let day = values::wall_clock(fields.name(created), fields.at(created), false)?.date();
        let row = Moved {
            line_id,
            posted_at,
            source_day: Some(day),
            account: fields.at(Some(places.account)),
            provider: PROVIDER,
            kind,
            direction,
            currency,
            gross: amount.abs(),
        };
        let (psp, modification) = (fields.some_id(Some(places.psp))?, fields.some_id(places.modification)?);
        let of_payment = kind == LedgerKind::Payment;
        let shares = self.fee_and_net(fields, kind, signed(amount.abs(), direction), currency, net)?;
        let (method, method_detail) = method_of(fields.at(places.method), fields.at(places.variant));
        let attributes = self.attributes(fields, shares.other_fee.as_deref());
        let completed_at = match fields.at(places.booked) {
            "" => posted_at,
            _ => self.time(fields, places.booked, places.booked_zone.or(Some(places.zone)))?,
        };
        Ok(LedgerLine {
            completed_at: Some(completed_at),
            fee: shares.fee,
            net: shares.net,
            settle_currency: net.map(|(_, currency)| currency),
            settle_amount: net.map(|(amount, _)| amount),
            exchange_rate: values::text(fields.at(places.rate)),
            parent_transaction_id: if of_payment { None } else { psp.clone() },
            provider_transaction_id: if of_payment { psp } else { modification.or(psp) },
            order_id: values::text(fields.at(places.merchant))
                .or_else(|| values::text(fields.at(places.merchant_order))),
            payout_id: fields.some_id(places.batch)?,
            method,
            method_detail,
            attributes,
            ..row.line(self.context, number)
        })
    }

    /// Fee and net where they are of the line's own currency, and the fee as text where it is not.
    fn fee_and_net(
        &self,
        fields: &Fields<'_>,
        kind: LedgerKind,
        gross: i64,
        currency: Currency,
        net: Option<Side>,
    ) -> Result<Shares, Fault> {
        let Some((net, of_net)) = net else { return Ok(Shares::default()) };
        let printed = self.places.fees.sum(fields, of_net)?;
        if of_net != currency {
            let other_fee = printed.map(|fee| fee.to_string());
            return Ok(Shares { other_fee, ..Shares::default() });
        }
        let has_fee = matches!(kind, LedgerKind::Payment | LedgerKind::Refund | LedgerKind::Dispute);
        let between = has_fee.then_some(gross - net);
        Ok(Shares { fee: printed.or(between), net: Some(net), other_fee: None })
    }

    fn time(
        &self,
        fields: &Fields<'_>,
        at: Option<usize>,
        zone: Option<usize>,
    ) -> Result<crate::domain::Instant, Fault> {
        let cells = [at, zone].map(|place| (fields.name(place), fields.at(place)));
        abbreviated_time(cells[0], cells[1], self.context.hints.zone, self.context.now)
    }

    /// A payment may be settled, refunded and charged back in several steps and batches.
    fn line_id(&mut self, fields: &Fields<'_>) -> Result<String, Fault> {
        let places = &self.places;
        let parts = [Some(places.psp), Some(places.kind), places.modification, places.batch];
        let id = parts.map(|place| fields.at(place)).join("/");
        if !fields.at(Some(places.psp)).is_empty() {
            return values::id(fields.name(Some(places.psp)), &id);
        }
        let amounts = places.net.map(|place| fields.at(Some(place))).join("/");
        let key = format!("{id}/{}/{amounts}", fields.at(Some(places.created)));
        if self.account_rows.len() >= ACCOUNT_ROWS_MAX && !self.account_rows.contains_key(&key) {
            return Err(fields.fault(Some(places.kind), RejectCode::TooManyItems));
        }
        let times = self.account_rows.entry(key).or_insert(0);
        *times += 1;
        values::id(fields.name(Some(places.kind)), &format!("{id}/{amounts}/{times}"))
    }

    /// What has no field of its own, sorted by key. `fee` is of the settlement currency, in its minor units.
    fn attributes(&self, fields: &Fields<'_>, fee: Option<&str>) -> Vec<(String, String)> {
        let places = &self.places;
        let of_payment =
            kind_of(fields.at(Some(places.kind))).is_some_and(|(kind, _)| kind == LedgerKind::Payment);
        attributes(&[
            ("capture", if of_payment { fields.at(places.modification) } else { "" }),
            ("dispute", fields.at(places.dispute)),
            ("merchant_refund_id", fields.at(places.modification_merchant)),
            ("record_type", fields.at(Some(places.kind))),
            ("settle_fee", fee.unwrap_or_default()),
        ])
    }
}
