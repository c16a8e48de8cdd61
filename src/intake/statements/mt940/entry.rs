//! `:61:`, one booking: `1602300301DR6,00N024NONREF//REF`.

use chrono::{Datelike, NaiveDate};
use rust_decimal::Decimal;

use super::super::super::bills::{Fault, RejectCode};
use super::super::booking::{Booked, Booking, looks_like_iban, reference};
use super::amount_of;
use super::text::Text;
use crate::domain::{Currency, Direction};

/// SWIFT's codes and the German ones for what a bank charges.
const CHARGES: [&str; 4] = ["CHG", "COM", "805", "808"];
/// German business transaction codes of money that came back.
const RETURNS: [&str; 7] = ["108", "109", "159", "181", "182", "183", "184"];
/// The century of two-digit years turns here.
const YEAR_TURN: i32 = 80;

/// One booking, before its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub direction: Direction,
    pub amount: Decimal,
    /// Announced, not yet booked.
    pub is_expected: bool,
    value_day: NaiveDate,
    day: NaiveDate,
    is_reversal: bool,
    /// `NTRF`
    kind: String,
    reference: String,
    bank_reference: String,
    supplement: String,
}

impl Entry {
    /// Reads the value of a field.
    ///
    /// # Errors
    /// A fault of the part that cannot be read.
    pub fn parse(value: &str) -> Result<Self, Fault> {
        let (first, rest) = value.split_once('\n').unwrap_or((value, ""));
        let parsed = Self::parse_main(first);
        let Err(fault) = parsed else { return parsed.map(|entry| entry.with_supplement(rest)) };
        // Some exports wrap the line itself: what follows belongs to it.
        let (second, rest) = rest.split_once('\n').unwrap_or((rest, ""));
        let joined = Self::parse_main(&format!("{first}{second}"));
        joined.map(|entry| entry.with_supplement(rest)).map_err(|_| fault)
    }

    fn with_supplement(mut self, rest: &str) -> Self {
        rest.replace('\n', " ").trim().clone_into(&mut self.supplement);
        self
    }

    fn parse_main(line: &str) -> Result<Self, Fault> {
        let fault = |code| Fault::quoting(":61:", code, line);
        let not_a_time = || fault(RejectCode::NotATime);
        let (value_day, rest) = line.split_at_checked(6).ok_or_else(not_a_time)?;
        let value_day = day_of(value_day).ok_or_else(not_a_time)?;
        let (day, rest) = match rest.split_at_checked(4) {
            Some((day, rest)) if day.bytes().all(|byte| byte.is_ascii_digit()) => {
                (day_near(day, value_day).ok_or_else(not_a_time)?, rest)
            }
            _ => (value_day, rest),
        };
        let (mark, rest) = mark_of(rest).ok_or_else(|| fault(RejectCode::UnknownKind))?;
        // The third letter of the currency may stand before the amount.
        let rest = rest.strip_prefix(|c: char| c.is_ascii_alphabetic()).unwrap_or(rest);
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != ',' && c != '.').unwrap_or(rest.len());
        let (amount, rest) = rest.split_at(end);
        let amount = amount_of(amount).ok_or_else(|| fault(RejectCode::NotAnAmount))?;
        let (kind, references) = rest.split_at_checked(4).unwrap_or((rest, ""));
        let (own, bank) = references.split_once("//").unwrap_or((references, ""));
        Ok(Self {
            direction: mark.direction,
            amount,
            is_expected: mark.is_expected,
            value_day,
            day,
            is_reversal: mark.is_reversal,
            kind: kind.trim().to_owned(),
            reference: own.trim().to_owned(),
            bank_reference: bank.trim().to_owned(),
            supplement: String::new(),
        })
    }

    /// The booking, with what the field `:86:` says.
    pub fn booking(self, account: String, currency: Currency, text: &str) -> Booking {
        let text = Text::parse(text);
        let is_account = looks_like_iban(&self.supplement)
            || self.supplement.strip_prefix('P').is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit()));
        let (supplement_account, supplement_text) =
            if is_account { (self.supplement.as_str(), "") } else { ("", self.supplement.as_str()) };
        let code = self.kind.get(1..).unwrap_or_default();
        let is_charge = CHARGES.contains(&code) || CHARGES.contains(&text.code.as_str());
        let return_reason =
            if RETURNS.contains(&text.code.as_str()) { text.key.clone() } else { String::new() };
        let bank_code = [self.kind.as_str(), &text.code].into_iter().filter(|code| !code.is_empty());
        let counterparty = [text.account.as_str(), supplement_account, &text.name];
        let mut attributes = vec![
            ("bank_code", bank_code.collect::<Vec<_>>().join("/")),
            ("booking_text", text.title.clone()),
            ("customer_reference", text.customer_reference.clone()),
            ("return_reason", return_reason),
            ("value_day", self.value_day.to_string()),
        ];
        if self.is_reversal {
            attributes.push(("reversal", "true".to_owned()));
        }
        attributes.sort_unstable_by_key(|(key, _)| *key);
        let purpose = [text.purpose.as_str(), supplement_text].into_iter().find(|text| !text.is_empty());
        Booking {
            account,
            booked: Booked { day: self.day, at: None },
            direction: self.direction,
            currency,
            amount: self.amount,
            bank_reference: reference(&self.bank_reference),
            order_id: reference(&text.end_to_end).or_else(|| reference(&self.reference)),
            text: purpose.unwrap_or_default().to_owned(),
            counterparty: counterparty.into_iter().find(|said| !said.is_empty()).map(str::to_owned),
            is_charge,
            attributes,
        }
    }
}

/// Which way, and how.
struct Mark {
    direction: Direction,
    is_reversal: bool,
    is_expected: bool,
}

/// `RC` takes a credit back, so it is a debit; `EC` and `ED` are only expected.
fn mark_of(text: &str) -> Option<(Mark, &str)> {
    let marks = [
        ("RC", Direction::Out, true, false),
        ("RD", Direction::In, true, false),
        ("EC", Direction::In, false, true),
        ("ED", Direction::Out, false, true),
        ("C", Direction::In, false, false),
        ("D", Direction::Out, false, false),
    ];
    marks.into_iter().find_map(|(mark, direction, is_reversal, is_expected)| {
        let rest = text.strip_prefix(mark)?;
        Some((Mark { direction, is_reversal, is_expected }, rest))
    })
}

/// `YYMMDD`. Banks that count thirty days to each month print 30 February: that is its last day.
fn day_of(text: &str) -> Option<NaiveDate> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let year: i32 = text.get(..2)?.parse().ok()?;
    let century = if year < YEAR_TURN { 2000 } else { 1900 };
    day_in(century + year, text.get(2..)?)
}

/// `MMDD` in a year, its last day where the month is shorter.
fn day_in(year: i32, text: &str) -> Option<NaiveDate> {
    let month: u32 = text.get(..2)?.parse().ok()?;
    let day: u32 = text.get(2..4)?.parse().ok().filter(|day| (1..=31).contains(day))?;
    (day.saturating_sub(3)..=day).rev().find_map(|day| NaiveDate::from_ymd_opt(year, month, day))
}

/// `MMDD` in the year that brings it nearest to another day: a booking of 2 January may have its value on 30 December.
fn day_near(text: &str, other: NaiveDate) -> Option<NaiveDate> {
    let years = [other.year(), other.year() - 1, other.year() + 1];
    let days = years.into_iter().filter_map(|year| day_in(year, text));
    days.min_by_key(|day| (*day - other).num_days().abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(value: &str) -> (String, String) {
        let entry = Entry::parse(value).unwrap();
        (entry.value_day.to_string(), entry.day.to_string())
    }

    #[test]
    fn trap_30_february_is_the_last_day_of_the_month() {
        assert_eq!(days("1602300301DR6,00N024NONREF"), ("2016-02-29".into(), "2016-03-01".into()));
        assert_eq!(days("150230D6,00N024NONREF"), ("2015-02-28".into(), "2015-02-28".into()));
        assert!(Entry::parse("151330D6,00N024NONREF").is_err());
        assert!(Entry::parse("150200D6,00N024NONREF").is_err());
    }

    #[test]
    fn trap_an_entry_date_belongs_to_the_nearest_year() {
        assert_eq!(days("2512300102C1,NTRFX1"), ("2025-12-30".into(), "2026-01-02".into()));
        assert_eq!(days("2601021230C1,NTRFX1"), ("2026-01-02".into(), "2025-12-30".into()));
        assert_eq!(days("991231C1,NTRFX1"), ("1999-12-31".into(), "1999-12-31".into()));
    }

    #[test]
    fn trap_marks_say_which_way_the_money_went() {
        for (value, direction, amount, reversal) in [
            ("0709040904RCR204,88NRTINONREF", Direction::Out, "204.88", true),
            ("0709040904RDR204,88NRTINONREF", Direction::In, "204.88", true),
            ("0709040904CR300,NTRFX", Direction::In, "300", false),
            ("1105240524D9,N192NONREF", Direction::Out, "9", false),
            ("1710111011DF2402,00S   X", Direction::Out, "2402", false),
            ("130101D000000000025,00N102EREF", Direction::Out, "25", false),
            ("2601010101CD5,5NTRFX1", Direction::In, "5.5", false),
        ] {
            let entry = Entry::parse(value).unwrap();
            let found = (entry.direction, entry.amount.normalize().to_string(), entry.is_reversal);
            assert_eq!(found, (direction, amount.to_owned(), reversal), "{value}");
        }
        assert!(Entry::parse("2601010101EC5,5NTRFX1").unwrap().is_expected);
    }

    #[test]
    fn trap_a_wrapped_entry_is_put_together() {
        let entry = Entry::parse("1811261126CR\n30,00N062NONREF").unwrap();
        assert_eq!((entry.amount.to_string().as_str(), entry.kind.as_str()), ("30.000", "N062"));
        let entry =
            Entry::parse("0709040904CR335,33NTRFTFNr 44003 MSGID//0724710351061491\nsupplement").unwrap();
        assert_eq!(entry.reference, "TFNr 44003 MSGID");
        assert_eq!(
            (entry.bank_reference.as_str(), entry.supplement.as_str()),
            ("0724710351061491", "supplement")
        );
        for bad in ["", "26", "260101", "260101X1,", "260101C", "260101Cx", "260101C1,2,3N", "2601é1C1,"] {
            assert!(Entry::parse(bad).is_err(), "{bad}");
        }
    }
}
