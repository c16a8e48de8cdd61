//! One entry of a statement, and the transactions that it may hold together.

use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeZone, Utc};
use rust_decimal::Decimal;

use super::super::super::bills::{
    BillContext, Fault, Line, NotData, Refusal, RejectCode, RejectedLine, decimal,
};
use super::super::booking::{Booked, Booking, Bookings, StatementSum, reference};
use crate::domain::{Currency, Direction};

/// Transactions of one entry that are taken apart; a batch of more is taken as one line.
const DETAILS_MAX: usize = 20_000;
/// Codes of the sub-families of what a bank charges, and the SWIFT and German codes of the same.
const CHARGES: [&str; 12] =
    ["CHRG", "FEES", "COMM", "COME", "COMI", "COMT", "NCHG", "NCOM", "CHG", "COM", "805", "808"];

/// What was read of an entry so far.
#[derive(Default)]
pub struct Entry {
    amount: String,
    currency: String,
    indicator: String,
    is_reversal: String,
    status: String,
    booked: String,
    valued: String,
    bank_reference: String,
    own_reference: String,
    codes: Codes,
    info: String,
    charges: String,
    batch: String,
    details: Vec<Detail>,
    /// Transactions beyond those that are kept.
    details_left_out: u64,
}

/// The bank's word for what kind of booking it is.
#[derive(Clone, Default)]
struct Codes {
    domain: String,
    family: String,
    sub_family: String,
    proprietary: String,
}

/// One transaction of an entry.
#[derive(Default)]
struct Detail {
    amount: String,
    currency: String,
    /// The amount as instructed, where the plain one is absent.
    own_amount: String,
    own_currency: String,
    indicator: String,
    end_to_end: String,
    bank_reference: String,
    structured: String,
    text: String,
    info: String,
    debtor: String,
    debtor_account: String,
    creditor: String,
    creditor_account: String,
    return_reason: String,
    codes: Codes,
}

impl Codes {
    fn leaf(&mut self, path: &str, text: &str) {
        let field = match path {
            "Domn/Cd" => &mut self.domain,
            "Domn/Fmly/Cd" => &mut self.family,
            "Domn/Fmly/SubFmlyCd" => &mut self.sub_family,
            "Prtry/Cd" => &mut self.proprietary,
            _ => return,
        };
        text.clone_into(field);
    }

    fn is_charge(&self) -> bool {
        // German banks print `NTRF+166+…`: SWIFT code, business transaction code, and more.
        let proprietary = self.proprietary.split('+').take(2);
        std::iter::once(self.sub_family.as_str()).chain(proprietary).any(|code| CHARGES.contains(&code))
    }

    fn shown(&self) -> String {
        let domain = [&self.domain, &self.family, &self.sub_family].map(String::as_str);
        let said: Vec<&str> = domain.into_iter().filter(|code| !code.is_empty()).collect();
        if said.is_empty() { self.proprietary.clone() } else { said.join("/") }
    }
}

/// Adds a further piece of text, divided by a space.
fn append(text: &mut String, piece: &str) {
    if !text.is_empty() && !piece.is_empty() {
        text.push(' ');
    }
    text.push_str(piece);
}

impl Entry {
    /// An element begins inside the entry.
    pub fn open(&mut self, path: &str) {
        if path == "NtryDtls/TxDtls" {
            if self.details.len() < DETAILS_MAX {
                self.details.push(Detail::default());
            } else {
                self.details_left_out += 1;
            }
        }
    }

    /// An element ends inside the entry.
    pub fn leaf(&mut self, path: &str, text: &str, currency: Option<&str>) {
        if let Some(own) = path.strip_prefix("NtryDtls/TxDtls/") {
            if self.details_left_out == 0
                && let Some(detail) = self.details.last_mut()
            {
                detail.leaf(own, text, currency);
            }
            return;
        }
        if let Some(own) = path.strip_prefix("BkTxCd/") {
            self.codes.leaf(own, text);
            return;
        }
        let field = match path {
            "Amt" => {
                currency.unwrap_or_default().clone_into(&mut self.currency);
                &mut self.amount
            }
            "CdtDbtInd" => &mut self.indicator,
            "RvslInd" => &mut self.is_reversal,
            "Sts" | "Sts/Cd" | "Sts/Prtry" if !text.is_empty() => &mut self.status,
            "BookgDt/Dt" | "BookgDt/DtTm" => &mut self.booked,
            "ValDt/Dt" | "ValDt/DtTm" => &mut self.valued,
            "AcctSvcrRef" => &mut self.bank_reference,
            "NtryRef" => &mut self.own_reference,
            "AddtlNtryInf" => &mut self.info,
            "Chrgs/TtlChrgsAndTaxAmt" => &mut self.charges,
            "Chrgs/Rcrd/Amt" | "Chrgs/Amt" if self.charges.is_empty() => &mut self.charges,
            "NtryDtls/Btch/NbOfTxs" => &mut self.batch,
            _ => return,
        };
        text.clone_into(field);
    }

    /// The lines of this entry: one, or one for each transaction where these say how the amount divides.
    ///
    /// # Errors
    /// [`Refusal`] when the file has more lines without an id than are told apart.
    pub fn lines(
        self,
        number: u64,
        account: &str,
        context: &BillContext<'_>,
        sum: &mut StatementSum,
        bookings: &mut Bookings<'_>,
    ) -> Result<Vec<Line>, Refusal> {
        // Pending and future entries, and those only told of, have not moved anything.
        if !self.status.is_empty() && !self.status.eq_ignore_ascii_case("BOOK") {
            return Ok(vec![Line::NotData(NotData::Passed)]);
        }
        let whole = match self.whole(account, context) {
            Ok(whole) => whole,
            Err(fault) => {
                sum.spoil();
                return Ok(vec![Line::Rejected(RejectedLine::new(number, fault, None))]);
            }
        };
        let signed = if whole.direction == Direction::Out { -whole.amount } else { whole.amount };
        sum.add(signed, whole.currency.code());
        let parts = self.parts(&whole).unwrap_or_else(|| vec![self.one(whole)]);
        parts.into_iter().map(|booking| bookings.line(number, booking)).collect()
    }

    /// What the entry says of itself, without its transactions.
    fn whole(&self, account: &str, context: &BillContext<'_>) -> Result<Booking, Fault> {
        let currency = Currency::parse(&self.currency)
            .map_err(|_| Fault::quoting("Ntry/Amt/@Ccy", RejectCode::UnknownCurrency, &self.currency))?;
        let amount = decimal("Ntry/Amt", &self.amount)?;
        if amount.is_sign_negative() && !amount.is_zero() {
            return Err(Fault::quoting("Ntry/Amt", RejectCode::NegativeAmount, &self.amount));
        }
        let day = if self.booked.is_empty() { &self.valued } else { &self.booked };
        let mut attributes = vec![
            ("bank_code", self.codes.shown()),
            ("charges", self.charges.clone()),
            ("entry", reference(&self.own_reference).unwrap_or_default()),
            ("value_day", self.valued.chars().take(10).collect()),
        ];
        if matches!(self.is_reversal.as_str(), "true" | "1") {
            attributes.push(("reversal", "true".to_owned()));
        }
        Ok(Booking {
            account: account.to_owned(),
            booked: booked("Ntry/BookgDt", day, context)?,
            direction: direction("Ntry/CdtDbtInd", &self.indicator)?,
            currency,
            amount,
            bank_reference: reference(&self.bank_reference),
            order_id: None,
            text: self.info.clone(),
            counterparty: None,
            is_charge: self.codes.is_charge(),
            attributes,
        })
    }

    /// The entry as one line, with what its only transaction says.
    fn one(&self, mut whole: Booking) -> Booking {
        match self.details.as_slice() {
            [only] if self.details_left_out == 0 => only.refine(&mut whole),
            [] => {}
            several => {
                let count =
                    u64::try_from(several.len()).unwrap_or(u64::MAX).saturating_add(self.details_left_out);
                whole.attributes.push(("batch", count.to_string()));
            }
        }
        if !self.batch.is_empty() && self.details.is_empty() {
            whole.attributes.push(("batch", self.batch.clone()));
        }
        whole.attributes.sort_unstable_by_key(|(key, _)| *key);
        whole
    }

    /// One line for each transaction, where their amounts are of the entry's currency and add up to it.
    fn parts(&self, whole: &Booking) -> Option<Vec<Booking>> {
        if self.details.len() < 2 || self.details_left_out > 0 {
            return None;
        }
        let mut parts = Vec::with_capacity(self.details.len());
        let mut sum = Decimal::ZERO;
        for detail in &self.details {
            let mut part = whole.clone();
            part.amount = detail.amount_in(whole.currency)?;
            if !detail.indicator.is_empty() {
                part.direction = direction("", &detail.indicator).ok()?;
            }
            let towards = part.direction == whole.direction;
            sum = sum.checked_add(if towards { part.amount } else { -part.amount })?;
            part.attributes.push(("batch", self.details.len().to_string()));
            detail.refine(&mut part);
            part.attributes.sort_unstable_by_key(|(key, _)| *key);
            parts.push(part);
        }
        (sum == whole.amount).then_some(parts)
    }
}

impl Detail {
    fn leaf(&mut self, path: &str, text: &str, currency: Option<&str>) {
        if let Some(own) = path.strip_prefix("BkTxCd/") {
            self.codes.leaf(own, text);
            return;
        }
        let code = || currency.unwrap_or_default().to_owned();
        match path {
            "Amt" => (self.amount, self.currency) = (text.to_owned(), code()),
            "AmtDtls/TxAmt/Amt" => (self.own_amount, self.own_currency) = (text.to_owned(), code()),
            "RmtInf/Ustrd" => append(&mut self.text, text),
            "RmtInf/Strd/CdtrRefInf/Ref" | "RmtInf/Strd/CdtrRefInf/CdtrRef" if self.structured.is_empty() => {
                text.clone_into(&mut self.structured);
            }
            "RtrInf/Rsn/Cd" | "RtrInf/Rsn/Prtry" => text.clone_into(&mut self.return_reason),
            _ => self.party(path, text),
        }
    }

    fn party(&mut self, path: &str, text: &str) {
        let field = match path {
            "CdtDbtInd" => &mut self.indicator,
            "Refs/EndToEndId" => &mut self.end_to_end,
            "Refs/AcctSvcrRef" => &mut self.bank_reference,
            "AddtlTxInf" => &mut self.info,
            "RltdPties/Dbtr/Nm" | "RltdPties/Dbtr/Pty/Nm" => &mut self.debtor,
            "RltdPties/DbtrAcct/Id/IBAN" | "RltdPties/DbtrAcct/Id/Othr/Id" => &mut self.debtor_account,
            "RltdPties/Cdtr/Nm" | "RltdPties/Cdtr/Pty/Nm" => &mut self.creditor,
            "RltdPties/CdtrAcct/Id/IBAN" | "RltdPties/CdtrAcct/Id/Othr/Id" => &mut self.creditor_account,
            _ => return,
        };
        text.clone_into(field);
    }

    /// The amount in this currency; `None` where it is absent, of another currency, or no amount.
    fn amount_in(&self, currency: Currency) -> Option<Decimal> {
        let said = [(&self.amount, &self.currency), (&self.own_amount, &self.own_currency)];
        let (amount, _) =
            said.into_iter().find(|(amount, own)| !amount.is_empty() && *own == currency.code())?;
        decimal("", amount).ok().filter(Decimal::is_sign_positive)
    }

    /// Adds what the transaction says to a booking.
    fn refine(&self, booking: &mut Booking) {
        if let Some(own) = reference(&self.bank_reference) {
            booking.bank_reference = Some(own);
        }
        let end_to_end = reference(&self.end_to_end);
        let structured = reference(&self.structured);
        booking.order_id = end_to_end.clone().or_else(|| structured.clone());
        if let (Some(_), Some(structured)) = (end_to_end, structured) {
            booking.attributes.push(("structured_reference", structured));
        }
        if let Some(own) = [&self.text, &self.info].into_iter().find(|text| !text.is_empty()) {
            own.clone_into(&mut booking.text);
        }
        let (account, name) = match booking.direction {
            Direction::In => (&self.debtor_account, &self.debtor),
            Direction::Out => (&self.creditor_account, &self.creditor),
        };
        booking.counterparty = [account, name].into_iter().find(|said| !said.is_empty()).cloned();
        booking.is_charge |= self.codes.is_charge();
        booking.attributes.push(("return_reason", self.return_reason.clone()));
    }
}

fn direction(field: &str, text: &str) -> Result<Direction, Fault> {
    match text {
        "CRDT" => Ok(Direction::In),
        "DBIT" => Ok(Direction::Out),
        "" => Err(Fault::new(field, RejectCode::Missing)),
        other => Err(Fault::quoting(field, RejectCode::UnknownKind, other)),
    }
}

/// A day, or a time with or without its offset.
fn booked(field: &str, text: &str, context: &BillContext<'_>) -> Result<Booked, Fault> {
    if text.is_empty() {
        return Err(Fault::new(field, RejectCode::Missing));
    }
    let fault = || Fault::quoting(field, RejectCode::NotATime, text);
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Ok(Booked { day: at.date_naive(), at: Some(at.with_timezone(&Utc)) });
    }
    if let Ok(local) = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f") {
        let zone = context.hints.zone;
        let at = zone.and_then(|zone| zone.from_local_datetime(&local).earliest());
        return Ok(Booked { day: local.date(), at: at.map(|at| at.with_timezone(&Utc)) });
    }
    // A date may carry an offset, `2026-11-20+01:00`, or `Z`.
    let day = text.get(..10).ok_or_else(fault)?;
    let day = NaiveDate::parse_from_str(day, "%Y-%m-%d").map_err(|_| fault())?;
    Ok(Booked { day, at: None })
}
