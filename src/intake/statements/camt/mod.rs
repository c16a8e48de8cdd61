//! Bank statements in XML, camt.053 of any version: names decide, namespaces do not.

mod entry;
mod statement;

use std::fs::File;
use std::io::BufReader;
use std::ops::ControlFlow;

use super::super::bills::{
    About, Bill, BillContext, Control, Give, Refusal, SpoolError, StreamBill, TotalsCheck,
};
use super::super::xml::{Step, walk};
use super::booking::{Bookings, Names};

use statement::Statement;

/// The element that a bank statement is.
const STATEMENT_MESSAGE: &str = "BkToCstmrStmt";
/// Messages of the same family that are no statements: an account report of the day, a notification of single bookings.
const OTHER_MESSAGES: [(&str, &str); 2] =
    [("BkToCstmrAcctRpt", "camt.052"), ("BkToCstmrDbtCdtNtfctn", "camt.054")];
/// Balances that are shown of one file.
const CONTROLS_MAX: usize = 50;

/// Reader of one file with any number of statements.
pub struct Camt<'a> {
    context: &'a BillContext<'a>,
    bookings: Bookings<'a>,
    /// Where in the path the open statement's own names begin.
    inside: Option<usize>,
    statement: Statement,
    statements: u64,
    entries: u64,
    check: Option<TotalsCheck>,
    controls: Vec<Control>,
}

impl<'a> Camt<'a> {
    /// A reader that has seen nothing yet.
    pub fn new(context: &'a BillContext<'a>) -> Self {
        Self {
            context,
            bookings: Bookings::new(
                context,
                Names { amount: "Ntry/Amt", day: "Ntry/BookgDt", reference: "Ntry/AcctSvcrRef" },
            ),
            inside: None,
            statement: Statement::default(),
            statements: 0,
            entries: 0,
            check: None,
            controls: Vec::new(),
        }
    }

    /// True when the first lines are those of such a file, or of one of its siblings.
    pub fn knows(head: &[String]) -> bool {
        let is_xml = head
            .iter()
            .find(|line| !line.trim().is_empty())
            .is_some_and(|line| line.trim_start_matches(['\u{feff}', ' ', '\t']).starts_with('<'));
        let mut names = OTHER_MESSAGES.iter().map(|(name, _)| *name).chain([STATEMENT_MESSAGE]);
        is_xml && names.any(|name| head.iter().any(|line| line.contains(name)))
    }

    fn step(&mut self, step: Step<'_>, position: u64, give: &mut Give<'_>) -> Result<(), Refusal> {
        match (step, self.inside) {
            (Step::Open { path, .. }, None) => self.open(path),
            (Step::Open { path, .. }, Some(at)) => {
                self.statement.open(path.get(at..).unwrap_or_default());
                Ok(())
            }
            (Step::Close { .. }, None) => Ok(()),
            (Step::Close { path, text, attributes }, Some(at)) => match path.get(at..) {
                Some(own) => self.close(own, text.trim(), attributes.get("Ccy"), position, give),
                None => self.end(),
            },
        }
    }

    fn open(&mut self, path: &str) -> Result<(), Refusal> {
        let name = path.rsplit('/').next().unwrap_or_default();
        if let Some((_, message)) = OTHER_MESSAGES.iter().find(|(element, _)| *element == name) {
            return Err(Refusal::OtherReport(message));
        }
        if name == "Stmt" && path.contains(STATEMENT_MESSAGE) {
            self.inside = Some(path.len() + 1);
            self.statement = Statement::default();
            self.statements += 1;
        }
        Ok(())
    }

    fn close(
        &mut self,
        own: &str,
        text: &str,
        currency: Option<&str>,
        position: u64,
        give: &mut Give<'_>,
    ) -> Result<(), Refusal> {
        if own != "Ntry" {
            self.statement.leaf(own, text, currency);
            return Ok(());
        }
        let account = self.statement.account(self.context, self.statements)?;
        self.entries += 1;
        let entry = std::mem::take(&mut self.statement.entry);
        for line in
            entry.lines(self.entries, &account, self.context, &mut self.statement.sum, &mut self.bookings)?
        {
            give(line, position)?;
        }
        Ok(())
    }

    /// The statement ends: opening balance + entries = closing balance?
    fn end(&mut self) -> Result<(), Refusal> {
        self.inside = None;
        let checked = self.statement.check(self.statements)?;
        let check = match checked {
            Some(control) => {
                if self.controls.len() < CONTROLS_MAX {
                    self.controls.push(control);
                }
                TotalsCheck::Matched
            }
            None if self.statement.has_balances() => TotalsCheck::NotComparable,
            None => TotalsCheck::NoSummary,
        };
        self.check = Some(self.check.map_or(check, |before| before.and(check)));
        Ok(())
    }
}

impl Bill for Camt<'_> {
    fn provider(&self) -> &'static str {
        "bank"
    }

    fn about(&self) -> About {
        About {
            variant: format!("camt.053 × {}", self.statements),
            controls: self.controls.clone(),
            ..About::default()
        }
    }

    fn finish(&mut self) -> Result<TotalsCheck, Refusal> {
        self.check.ok_or(Refusal::StatementIncomplete { what: "Stmt", number: 1 })
    }
}

impl StreamBill for Camt<'_> {
    fn read(&mut self, text: BufReader<File>, give: &mut Give<'_>) -> Result<(), SpoolError> {
        walk(text, &["Ccy"], &mut |step, position| {
            self.step(step, position, give)?;
            Ok(ControlFlow::Continue(()))
        })
    }
}
