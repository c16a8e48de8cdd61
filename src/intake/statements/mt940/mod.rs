//! Bank statements in SWIFT's MT940, as banks really print them: wrapped lines, blank lines, wrappers around messages,
//! several statements in one file, dates that no calendar has.

mod entry;
mod field;
mod text;

use std::fs::File;
use std::io::BufReader;

use rust_decimal::Decimal;

use super::super::bills::{
    About, Bill, BillContext, Control, Fault, Give, Line, NotData, Refusal, RejectedLine, SpoolError,
    StreamBill, TotalsCheck,
};
use super::booking::{Balance, Bookings, Names, StatementSum};
use crate::domain::{Currency, Direction};
use entry::Entry;
use field::{Field, Fields};

/// Balances that are shown of one file.
const CONTROLS_MAX: usize = 50;

/// Reader of one file with any number of statements.
pub struct Mt940<'a> {
    context: &'a BillContext<'a>,
    bookings: Bookings<'a>,
    statement: Statement,
    statements: u64,
    check: Option<TotalsCheck>,
    controls: Vec<Control>,
}

/// What was read of one statement so far.
#[derive(Default)]
struct Statement {
    account: String,
    opening: Option<Balance>,
    is_closed: bool,
    sum: StatementSum,
    /// An entry whose text may still come, with the line it begins on.
    waiting: Option<(u64, Result<Entry, Fault>)>,
}

impl<'a> Mt940<'a> {
    /// A reader that has seen nothing yet.
    pub fn new(context: &'a BillContext<'a>) -> Self {
        Self {
            context,
            bookings: Bookings::new(context, Names { amount: ":61:", day: ":61:", reference: ":61:" }),
            statement: Statement::default(),
            statements: 0,
            check: None,
            controls: Vec::new(),
        }
    }

    /// True when the first lines are those of such a file.
    pub fn knows(head: &[String]) -> bool {
        let begins = |tags: &[&str]| {
            head.iter().any(|line| {
                let line = line.rsplit_once("{4:").map_or(line.as_str(), |(_, rest)| rest);
                tags.iter().any(|tag| line.trim_start_matches('\u{feff}').starts_with(tag))
            })
        };
        begins(&[":60F:", ":60M:", ":61:"]) || (begins(&[":20:"]) && begins(&[":25:", ":25P:", ":34F:"]))
    }

    fn field(
        &mut self,
        field: &Field,
        give: &mut dyn FnMut(Line) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let what = match field.tag.as_str() {
            "20" => {
                self.finish_statement()?;
                self.statement = Statement::default();
                NotData::Header
            }
            "25" | "25P" => {
                self.statement.account = first_line(&field.value);
                NotData::Header
            }
            "34F" => return Err(Refusal::OtherReport("MT942")),
            "60F" | "60M" => {
                self.statement.opening = Some(balance(field)?);
                self.statement.is_closed = false;
                self.statement.sum = StatementSum::default();
                NotData::Header
            }
            "61" => {
                self.let_out("", give)?;
                self.statement.waiting = Some((field.line, Entry::parse(&field.value)));
                return Ok(());
            }
            "86" => {
                self.let_out(&field.value, give)?;
                NotData::Comment
            }
            "62F" | "62M" => {
                self.let_out("", give)?;
                self.close(field)?;
                NotData::Summary
            }
            "28" | "28C" | "940" => NotData::Header,
            "64" | "65" => NotData::Summary,
            _ => NotData::Comment,
        };
        give(Line::NotData(what))
    }

    /// Gives out the entry that was waiting for its text.
    fn let_out(
        &mut self,
        text: &str,
        give: &mut dyn FnMut(Line) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let Some((line, entry)) = self.statement.waiting.take() else { return Ok(()) };
        let incomplete = |what| Refusal::StatementIncomplete { what, number: self.statements + 1 };
        let hint = self.context.hints.account.as_deref().unwrap_or_default();
        let account = [self.statement.account.as_str(), hint].into_iter().find(|account| !account.is_empty());
        let account = account.ok_or_else(|| incomplete(":25:"))?.to_owned();
        let opening = self.statement.opening.as_ref().ok_or_else(|| incomplete(":60F:"))?;
        let currency = Currency::parse(&opening.currency).map_err(|_| incomplete(":60F:"))?;
        let entry = match entry {
            Ok(entry) => entry,
            Err(fault) => {
                self.statement.sum.spoil();
                return give(Line::Rejected(RejectedLine::new(line, fault, None)));
            }
        };
        if entry.is_expected {
            return give(Line::NotData(NotData::Passed));
        }
        let signed = if entry.direction == Direction::Out { -entry.amount } else { entry.amount };
        self.statement.sum.add(signed, currency.code());
        let booking = entry.booking(account, currency, text);
        give(self.bookings.line(line, booking)?)
    }

    /// Opening balance + entries = closing balance?
    fn close(&mut self, field: &Field) -> Result<(), Refusal> {
        self.statements += 1;
        let number = self.statements;
        let incomplete = Refusal::StatementIncomplete { what: ":60F:", number };
        let opening = self.statement.opening.as_ref().ok_or(incomplete)?;
        let closing = balance(field)?;
        let check = match self.statement.sum.closing(opening, &closing) {
            None => TotalsCheck::NotComparable,
            Some(sum) => {
                let what = format!(":{}: {} ({number})", field.tag, closing.currency);
                let (printed, computed) =
                    (closing.signed.normalize().to_string(), sum.normalize().to_string());
                if sum != closing.signed {
                    return Err(Refusal::TotalsDiffer { what, printed, computed });
                }
                if self.controls.len() < CONTROLS_MAX {
                    self.controls.push(Control { what, printed, computed });
                }
                TotalsCheck::Matched
            }
        };
        self.check = Some(self.check.map_or(check, |before| before.and(check)));
        self.statement.is_closed = true;
        Ok(())
    }

    /// A statement that was begun must have been closed.
    fn finish_statement(&self) -> Result<(), Refusal> {
        let is_begun = self.statement.opening.is_some() || self.statement.waiting.is_some();
        if is_begun && !self.statement.is_closed { Err(Refusal::SummaryMissing) } else { Ok(()) }
    }
}

impl Bill for Mt940<'_> {
    fn provider(&self) -> &'static str {
        "bank"
    }

    fn about(&self) -> About {
        About {
            variant: format!("MT940 × {}", self.statements),
            controls: self.controls.clone(),
            ..About::default()
        }
    }

    fn finish(&mut self) -> Result<TotalsCheck, Refusal> {
        self.finish_statement()?;
        self.check.ok_or(Refusal::StatementIncomplete { what: ":60F:", number: 1 })
    }
}

impl StreamBill for Mt940<'_> {
    fn read(&mut self, text: BufReader<File>, give: &mut Give<'_>) -> Result<(), SpoolError> {
        let mut fields = Fields::new(text);
        while let Some(field) = fields.advance(self.statement.is_closed)? {
            let position = fields.position();
            self.field(&field, &mut |line| give(line, position))?;
        }
        let position = fields.position();
        // What stands without its text at the very end is still an entry; that its statement is not closed is told after.
        Ok(self.let_out("", &mut |line| give(line, position))?)
    }
}

fn first_line(value: &str) -> String {
    let line = value.lines().next().unwrap_or_default();
    line.chars().filter(|c| !c.is_whitespace()).take(super::ACCOUNT_CHARS_MAX).collect()
}

/// `C100318EUR380115,12`: sign, day, currency, amount.
fn balance(field: &Field) -> Result<Balance, Refusal> {
    let text = first_line(&field.value);
    let read = || -> Option<Balance> {
        let (is_debit, rest) = match text.split_at_checked(1)? {
            ("C", rest) => (false, rest),
            ("D", rest) => (true, rest),
            _ => return None,
        };
        let (day, rest) = rest.split_at_checked(6)?;
        let (currency, amount) = rest.split_at_checked(3)?;
        let amount = amount_of(amount).filter(|_| day.bytes().all(|byte| byte.is_ascii_digit()))?;
        Some(Balance { signed: if is_debit { -amount } else { amount }, currency: currency.to_owned() })
    };
    read().ok_or(Refusal::BalanceUnreadable { line: field.line, text })
}

/// An amount with a decimal comma, and perhaps nothing after it.
fn amount_of(text: &str) -> Option<Decimal> {
    let (whole, places) = text.split_once([',', '.']).unwrap_or((text, ""));
    let plain = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || whole.len() > 20 || places.len() > 12 || !plain(whole) || !plain(places) {
        return None;
    }
    format!("{whole}.{places}0").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn balance_of(value: &str) -> Option<(String, String)> {
        let field = Field { tag: "60F".into(), value: value.into(), line: 1 };
        balance(&field).ok().map(|balance| (balance.signed.normalize().to_string(), balance.currency))
    }

    #[test]
    fn trap_balances_in_every_form_of_amount_are_read() {
        for (value, amount) in [
            ("C100318EUR380115,12", "380115.12"),
            ("C100318EUR380115,1", "380115.1"),
            ("C100318EUR380115,", "380115"),
            ("C100318EUR0,12", "0.12"),
            ("C100318EUR00,12", "0.12"),
            ("D100318EUR001,12", "-1.12"),
            ("C130101EUR000000001000,00", "1000"),
        ] {
            assert_eq!(balance_of(value), Some((amount.to_owned(), "EUR".to_owned())), "{value}");
        }
        for bad in [
            "",
            "X100318EUR1,",
            "C100318EUR",
            "C1003XXEUR1,",
            "C100318EUR1,2,3",
            "C100318E€R1,",
            "C100318EUR-1,",
        ] {
            assert_eq!(balance_of(bad), None, "{bad}");
        }
    }
}
