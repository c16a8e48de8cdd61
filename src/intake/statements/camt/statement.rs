//! One statement: whose account, and the balances around its entries.

use rust_decimal::Decimal;

use super::super::super::bills::{BillContext, Control, Refusal, decimal};
use super::super::booking::{Balance, StatementSum};
use super::entry::Entry;

/// What was read of a statement so far.
#[derive(Default)]
pub struct Statement {
    iban: String,
    other_id: String,
    balance: Draft,
    opening: Option<Balance>,
    closing: Option<Balance>,
    pub entry: Entry,
    pub sum: StatementSum,
}

/// A balance of which parts may still come.
#[derive(Default)]
struct Draft {
    code: String,
    amount: String,
    currency: String,
    is_debit: bool,
}

impl Statement {
    /// An element begins inside the statement.
    pub fn open(&mut self, path: &str) {
        match path {
            "Bal" => self.balance = Draft::default(),
            "Ntry" => self.entry = Entry::default(),
            _ => {
                if let Some(own) = path.strip_prefix("Ntry/") {
                    self.entry.open(own);
                }
            }
        }
    }

    /// An element ends inside the statement.
    pub fn leaf(&mut self, path: &str, text: &str, currency: Option<&str>) {
        match path {
            "Acct/Id/IBAN" => text.clone_into(&mut self.iban),
            "Acct/Id/Othr/Id" | "Acct/Id/BBAN" | "Acct/Id/PrtryAcct/Id" => {
                text.clone_into(&mut self.other_id);
            }
            "Bal/Tp/CdOrPrtry/Cd" | "Bal/Tp/Cd" => text.clone_into(&mut self.balance.code),
            "Bal/Amt" => {
                text.clone_into(&mut self.balance.amount);
                currency.unwrap_or_default().clone_into(&mut self.balance.currency);
            }
            "Bal/CdtDbtInd" => self.balance.is_debit = text == "DBIT",
            "Bal" => self.keep_balance(),
            _ => {
                if let Some(own) = path.strip_prefix("Ntry/") {
                    self.entry.leaf(own, text, currency);
                }
            }
        }
    }

    fn keep_balance(&mut self) {
        let draft = std::mem::take(&mut self.balance);
        let Ok(amount) = decimal("Bal/Amt", &draft.amount) else { return };
        let signed = if draft.is_debit { -amount } else { amount };
        let balance = Balance { signed, currency: draft.currency };
        match draft.code.as_str() {
            "OPBD" => self.opening = Some(balance),
            // The closing balance of the day before, for banks that print no opening one.
            "PRCD" if self.opening.is_none() => self.opening = Some(balance),
            "CLBD" => self.closing = Some(balance),
            _ => {}
        }
    }

    /// The account's number as the bank prints it.
    ///
    /// # Errors
    /// [`Refusal::StatementIncomplete`] when neither the file nor the person says it.
    pub fn account(&self, context: &BillContext<'_>, number: u64) -> Result<String, Refusal> {
        let hint = context.hints.account.as_deref().unwrap_or_default();
        let said = [self.iban.as_str(), self.other_id.as_str(), hint];
        let account = said.into_iter().find(|account| !account.is_empty());
        let account = account.ok_or(Refusal::StatementIncomplete { what: "Acct/Id", number })?;
        Ok(account.chars().filter(|c| !c.is_whitespace()).take(super::super::ACCOUNT_CHARS_MAX).collect())
    }

    /// True when the statement prints both balances.
    pub const fn has_balances(&self) -> bool {
        self.opening.is_some() && self.closing.is_some()
    }

    /// Opening balance + entries against the closing balance, exactly as printed; `None` where they cannot be compared.
    ///
    /// # Errors
    /// [`Refusal::TotalsDiffer`].
    pub fn check(&self, number: u64) -> Result<Option<Control>, Refusal> {
        let (Some(opening), Some(closing)) = (&self.opening, &self.closing) else { return Ok(None) };
        let Some(computed) = self.sum.closing(opening, closing) else { return Ok(None) };
        let what = format!("CLBD {} ({number})", closing.currency);
        let shown = |amount: Decimal| amount.normalize().to_string();
        let (printed, computed_text) = (shown(closing.signed), shown(computed));
        if computed != closing.signed {
            return Err(Refusal::TotalsDiffer { what, printed, computed: computed_text });
        }
        Ok(Some(Control { what, printed, computed: computed_text }))
    }
}
