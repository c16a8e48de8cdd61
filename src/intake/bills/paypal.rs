//! PayPal's transaction detail (TRR) and settlement (STL) reports: each record says in its first cell what it is.
//!
//! Both tell of the same lines by the same ids, so that taking in both counts nothing twice. Amounts are digits in the
//! currency's own decimals; whether they came or went is told beside them, for the fee apart. Names, addresses and
//! e-mails of payers are not kept.

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;

use super::super::holds_card_number;
use super::columns::Columns;
use super::fields::Fields;
use super::moved::{Moved, signed};
use super::reading::{About, Bill, RecordBill};
use super::refusal::Refusal;
use super::rejection::{Fault, RejectCode, RejectedLine};
use super::totals::{ColumnSum, Control, TotalsCheck};
use super::{BillContext, Line, NotData, attributes, values};
use crate::domain::{
    Currency, Direction, Instant, LedgerKind, LedgerLine, MethodDetail, Money, Status, Word,
};

/// The columns without which a line is not the header of such a report; the first cell is the kind of the record.
pub const HEADER: [&str; 4] = ["CH", "Transaction ID", "Transaction Event Code", "Gross Transaction Amount"];
const PROVIDER: &str = "paypal";
/// Currencies that PayPal counts in whole units although they have smaller ones.
const WHOLE_UNITS: [&str; 2] = ["HUF", "TWD"];

/// Reader of one report.
pub struct Paypal<'a> {
    context: &'a BillContext<'a>,
    account: String,
    header: Option<(Columns, Places)>,
    /// A report of several files: the counts at its end are of all of them.
    in_parts: bool,
    section_rows: u64,
    rows: u64,
    footed: bool,
    controls: Vec<Control>,
}

/// Where each column stands.
struct Places {
    id: usize,
    invoice: Option<usize>,
    reference: Option<usize>,
    reference_kind: Option<usize>,
    code: usize,
    initiated: usize,
    completed: Option<usize>,
    towards: usize,
    gross: usize,
    currency: usize,
    fee_towards: Option<usize>,
    fee: Option<usize>,
    fee_currency: Option<usize>,
    custom: Option<usize>,
    consumer: Option<usize>,
    payer: Option<usize>,
    store: Option<usize>,
    terminal: Option<usize>,
    bank_reference: Option<usize>,
    tracking: Option<usize>,
    status: Option<usize>,
    item: Option<usize>,
    subject: Option<usize>,
    note: Option<usize>,
    card: Option<usize>,
    source: Option<usize>,
}

impl Places {
    fn of(columns: &Columns) -> Result<Self, Refusal> {
        let find = |name: &str| columns.find(&[name]);
        let need = |name: &str| columns.need(&[name]);
        need("CH")?;
        Ok(Self {
            id: need("Transaction ID")?,
            invoice: find("Invoice ID"),
            reference: find("PayPal Reference ID"),
            reference_kind: find("PayPal Reference ID Type"),
            code: need("Transaction Event Code")?,
            initiated: need("Transaction Initiation Date")?,
            completed: find("Transaction Completion Date"),
            towards: need("Transaction Debit or Credit")?,
            gross: need("Gross Transaction Amount")?,
            currency: need("Gross Transaction Currency")?,
            fee_towards: find("Fee Debit or Credit"),
            fee: find("Fee Amount"),
            fee_currency: find("Fee Currency"),
            custom: find("Custom Field"),
            consumer: find("Consumer ID"),
            payer: columns.find(&["Payer's Account ID", "Payer Account ID"]),
            store: find("Store ID"),
            terminal: find("Terminal ID"),
            bank_reference: find("Bank Reference ID"),
            tracking: find("Payment Tracking ID"),
            status: find("Transactional Status"),
            item: find("Item Name"),
            subject: find("Transaction Subject"),
            note: find("Transaction Note"),
            card: find("Card Type"),
            source: find("Payment Source"),
        })
    }

    /// Columns that point to nobody, shown when a row is rejected.
    fn shown(&self) -> Vec<Option<usize>> {
        let needed = [self.id, self.code, self.initiated, self.towards, self.gross, self.currency];
        let others =
            [self.completed, self.reference, self.fee_towards, self.fee, self.fee_currency, self.status];
        needed.into_iter().map(Some).chain(others).chain([Some(0)]).collect()
    }
}

impl<'a> Paypal<'a> {
    /// A reader that has seen nothing yet.
    pub const fn new(context: &'a BillContext<'a>) -> Self {
        Self {
            context,
            account: String::new(),
            header: None,
            in_parts: false,
            section_rows: 0,
            rows: 0,
            footed: false,
            controls: Vec::new(),
        }
    }

    fn begin(&mut self, record: &csv::StringRecord) -> Result<Line, Refusal> {
        let columns = Columns::of_cells(record.iter());
        columns.each_once()?;
        let places = Places::of(&columns)?;
        self.header = Some((columns, places));
        Ok(Line::NotData(NotData::Header))
    }

    /// The account of a section, or of the report where the section names none.
    fn head(&mut self, kind: &str, record: &csv::StringRecord) -> Line {
        let at = |place: usize| record.get(place).unwrap_or_default().trim();
        let account = match kind {
            "SH" => [at(3), at(4)].into_iter().find(|cell| !cell.is_empty()),
            "RH" => Some(at(3)).filter(|cell| !cell.is_empty()),
            _ => None,
        };
        if let Some(account) = account {
            account.clone_into(&mut self.account);
        }
        if kind == "FH" && at(1).parse::<u32>().is_ok_and(|part| part > 1) {
            self.in_parts = true;
        }
        Line::NotData(NotData::Comment)
    }

    /// Compares a count with the rows it counts.
    fn foot(&mut self, kind: &str, record: &csv::StringRecord) -> Result<Line, Refusal> {
        self.footed = true;
        let counted = match kind {
            "SC" => Some(("section record count (SC)", std::mem::take(&mut self.section_rows))),
            "RC" => Some(("report record count (RC)", self.rows)),
            _ => None,
        };
        let printed = record.get(1).unwrap_or_default().trim();
        if let Some((what, rows)) = counted.filter(|_| !self.in_parts && !printed.is_empty()) {
            let printed = values::decimal(what, printed).map_err(|_| Refusal::CutOff)?;
            let mut sum = ColumnSum::default();
            sum.add(Decimal::from(rows));
            self.controls.push(sum.check(what, printed)?);
        }
        Ok(Line::NotData(NotData::Summary))
    }

    fn row(&mut self, line: u64, record: &csv::StringRecord) -> Result<Line, Refusal> {
        self.rows += 1;
        self.section_rows += 1;
        self.footed = false;
        let Some((columns, places)) = &self.header else { return Err(Refusal::ColumnMissing("CH".into())) };
        let fields = match Fields::new(columns, record) {
            Ok(fields) => fields,
            Err(fault) => return Ok(Line::Rejected(RejectedLine::new(line, fault, None))),
        };
        for place in [Some(places.id), places.invoice, places.reference] {
            if values::is_excel_damaged(fields.at(place)) {
                return Err(Refusal::ExcelDamaged(line));
            }
        }
        let account = if self.account.is_empty() { self.context.account() } else { &self.account };
        let row = Row { context: self.context, account, places, fields: &fields };
        Ok(row.line(line).unwrap_or_else(|fault| {
            Line::Rejected(RejectedLine::new(line, fault, Some(fields.redacted(&places.shown()))))
        }))
    }
}

impl Bill for Paypal<'_> {
    fn provider(&self) -> &'static str {
        PROVIDER
    }

    fn about(&self) -> About {
        let detail = self.header.as_ref().is_some_and(|(_, places)| places.status.is_some());
        About {
            variant: if detail { "transaction detail" } else { "settlement" }.to_owned(),
            zone: String::new(),
            unread_columns: self.header.as_ref().map(|(columns, _)| columns.unread()).unwrap_or_default(),
            controls: self.controls.clone(),
        }
    }

    fn finish(&mut self) -> Result<TotalsCheck, Refusal> {
        if !self.footed {
            return Err(Refusal::SummaryMissing);
        }
        Ok(if self.controls.is_empty() { TotalsCheck::NoSummary } else { TotalsCheck::Matched })
    }
}

impl RecordBill for Paypal<'_> {
    fn read(&mut self, line: u64, record: &csv::StringRecord) -> Result<Line, Refusal> {
        let kind = record.get(0).unwrap_or_default().trim_matches(['\u{feff}', ' ', '"', '\r']).to_owned();
        match kind.as_str() {
            "" if record.iter().all(|cell| cell.trim().is_empty()) => Ok(Line::NotData(NotData::Blank)),
            "RH" | "FH" | "SH" => Ok(self.head(&kind, record)),
            "CH" => self.begin(record),
            "SB" => self.row(line, record),
            "SF" | "SC" | "RF" | "RC" | "FF" | "FC" => self.foot(&kind, record),
            other => {
                let fault = Fault::quoting("", RejectCode::UnknownKind, other);
                Ok(Line::Rejected(RejectedLine::new(line, fault, None)))
            }
        }
    }
}

/// What an event code is for us; `None` for those that move nothing. Codes are grouped by their first digits.
fn meaning_of(code: &str, direction: Direction) -> Option<(LedgerKind, &'static str)> {
    let group = code.get(..3).unwrap_or_default();
    Some(match (code, group) {
        // What the shop itself pays to others is no sale.
        (_, "T00") if direction == Direction::Out => (LedgerKind::Transfer, "payment_sent"),
        (_, "T00") => (LedgerKind::Payment, ""),
        (_, "T01") | ("T1108" | "T1109", _) => (LedgerKind::Fee, ""),
        (_, "T02") => (LedgerKind::Transfer, "currency_conversion"),
        (_, "T04") | ("T1101", _) => (LedgerKind::Payout, ""),
        (_, "T03" | "T05" | "T06" | "T07" | "T10" | "T20") => (LedgerKind::Transfer, ""),
        ("T1107", _) => (LedgerKind::Refund, ""),
        ("T1106" | "T1201" | "T1202" | "T1207", _) => (LedgerKind::Dispute, ""),
        ("T1110", _) => (LedgerKind::Adjustment, "hold"),
        ("T1111", _) => (LedgerKind::Adjustment, "release"),
        (_, "T13" | "T98") => return None,
        _ => (LedgerKind::Adjustment, ""),
    })
}

/// One body record.
struct Row<'a> {
    context: &'a BillContext<'a>,
    account: &'a str,
    places: &'a Places,
    fields: &'a Fields<'a>,
}

impl Row<'_> {
    fn at(&self, place: Option<usize>) -> &str {
        self.fields.at(place)
    }

    fn line(&self, number: u64) -> Result<Line, Fault> {
        let (places, fields) = (self.places, self.fields);
        for text in [places.subject, places.item, places.note, places.custom] {
            if holds_card_number(self.at(text)) {
                return Err(Fault::new(fields.name(text), RejectCode::CardNumber));
            }
        }
        let code = self.at(Some(places.code));
        let is_code = code.len() == 5
            && code.starts_with('T')
            && code.bytes().skip(1).all(|byte| byte.is_ascii_digit());
        if !is_code {
            return Err(fields.fault(Some(places.code), RejectCode::UnknownKind));
        }
        let gross = self.digits(Some(places.gross), Some(places.currency))?;
        let missing = || Fault::new(fields.name(Some(places.gross)), RejectCode::Missing);
        let (gross, currency) = gross.ok_or_else(missing)?;
        let direction = self.direction(Some(places.towards))?;
        let Some((kind, purpose)) = meaning_of(code, direction) else {
            return Ok(Line::NotData(NotData::Passed));
        };
        let id = fields.id(Some(places.id))?;
        let (posted_at, day) = self.time(Some(places.initiated))?;
        let completed_at = match self.at(places.completed) {
            "" => None,
            _ => Some(self.time(places.completed)?.0),
        };
        let row = Moved {
            line_id: values::id(fields.name(Some(places.id)), &format!("{id}/{code}"))?,
            posted_at,
            source_day: Some(day),
            account: self.account,
            provider: PROVIDER,
            kind,
            direction,
            currency,
            gross,
        };
        let (fee, other_fee) = self.fee(currency)?;
        let is_parent = self.at(places.reference_kind).eq_ignore_ascii_case("TXN");
        let invoice = if self.at(places.invoice).is_empty() { places.custom } else { places.invoice };
        let row = LedgerLine {
            status: self.status()?,
            completed_at,
            updated_at: Some(completed_at.unwrap_or(posted_at)),
            fee,
            net: other_fee.is_none().then(|| signed(gross, direction) - fee.unwrap_or(0)),
            payout_id: if kind == LedgerKind::Payout { Some(id.clone()) } else { None },
            provider_transaction_id: Some(id),
            parent_transaction_id: if is_parent { fields.some_id(places.reference)? } else { None },
            order_id: values::text(self.at(invoice)),
            terminal: values::text(self.at(places.terminal)),
            method: (kind == LedgerKind::Payment || kind == LedgerKind::Refund).then(|| Word::of(PROVIDER)),
            method_detail: MethodDetail {
                card_brand: values::text(&self.at(places.card).to_ascii_lowercase()),
                ..MethodDetail::default()
            },
            customer: self.customer(),
            description: values::text(self.at(places.item)).or_else(|| values::text(self.at(places.subject))),
            attributes: self.attributes(code, purpose, other_fee.as_deref()),
            ..row.line(self.context, number)
        };
        Ok(Line::Row(Box::new(row)))
    }

    /// Digits in the currency's own decimals; `None` where nothing stands.
    fn digits(
        &self,
        place: Option<usize>,
        currency: Option<usize>,
    ) -> Result<Option<(i64, Currency)>, Fault> {
        let cell = self.at(place);
        if cell.is_empty() {
            return Ok(None);
        }
        if !cell.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(self.fields.fault(place, RejectCode::NotAnAmount));
        }
        let currency = self.fields.currency(currency)?;
        let unit = if WHOLE_UNITS.contains(&currency.code()) { currency.minor_per_major() } else { 1 };
        let amount = cell.parse::<i64>().ok().and_then(|digits| digits.checked_mul(unit));
        let amount = amount.and_then(|amount| Money::from_minor(amount, currency).ok());
        let amount = amount.ok_or_else(|| self.fields.fault(place, RejectCode::AmountOutOfRange))?;
        Ok(Some((amount.minor(), currency)))
    }

    fn direction(&self, place: Option<usize>) -> Result<Direction, Fault> {
        match self.at(place) {
            "CR" => Ok(Direction::In),
            "DR" => Ok(Direction::Out),
            _ => Err(self.fields.fault(place, RejectCode::UnknownKind)),
        }
    }

    /// The fee, a cost where it is a debit; one of another currency than the line's is kept as text.
    fn fee(&self, currency: Currency) -> Result<(Option<i64>, Option<String>), Fault> {
        let places = self.places;
        let of =
            if self.at(places.fee_currency).is_empty() { Some(places.currency) } else { places.fee_currency };
        let Some((fee, of_fee)) = self.digits(places.fee, of)? else { return Ok((None, None)) };
        let fee = match self.at(places.fee_towards) {
            "" if fee == 0 => 0,
            _ => -signed(fee, self.direction(places.fee_towards)?),
        };
        if of_fee == currency { Ok((Some(fee), None)) } else { Ok((None, Some(format!("{fee} {of_fee}")))) }
    }

    /// Settlement reports hold only what succeeded, and have no column for it.
    fn status(&self) -> Result<Status, Fault> {
        match self.at(self.places.status) {
            // What was reversed had succeeded; the reversal is a line of its own.
            "" | "S" | "V" => Ok(Status::Succeeded),
            "P" => Ok(Status::Pending),
            "D" => Ok(Status::Failed),
            _ => Err(self.fields.fault(self.places.status, RejectCode::UnknownStatus)),
        }
    }

    /// `2026/01/06 00:00:30 -0800`.
    fn time(&self, place: Option<usize>) -> Result<(Instant, NaiveDate), Fault> {
        let (field, cell) = (self.fields.name(place), self.at(place));
        let parsed = DateTime::parse_from_str(cell, "%Y/%m/%d %H:%M:%S %z")
            .map_err(|_| self.fields.fault(place, RejectCode::NotATime))?;
        let at = values::in_range(field, cell, parsed.with_timezone(&Utc), self.context.now)?;
        Ok((at, parsed.date_naive()))
    }

    fn customer(&self) -> Option<String> {
        let consumer = match self.at(self.places.consumer) {
            "" => self.at(self.places.payer),
            consumer => consumer,
        };
        (!consumer.is_empty()).then(|| self.context.pseudonyms.of("customer", PROVIDER, consumer))
    }

    /// What has no field of its own, sorted by key.
    fn attributes(&self, code: &str, purpose: &str, fee: Option<&str>) -> Vec<(String, String)> {
        let places = self.places;
        attributes(&[
            ("bank_reference", self.at(places.bank_reference)),
            ("event_code", code),
            ("other_fee", fee.unwrap_or_default()),
            ("payment_source", self.at(places.source)),
            ("payment_tracking", self.at(places.tracking)),
            ("purpose", purpose),
            ("store_code", self.at(places.store)),
        ])
    }
}
