//! Lines of one id become one transaction.

use rust_decimal::Decimal;

use super::super::api::ITEMS_MAX;
use super::super::bills::{Fault, RejectCode, minor};
use super::MappingContext;
use super::config::{Sign, TextField, TransactionMapping, slug_of};
use super::line::MappedLine;
use crate::domain::{Instant, Item, Kind, MethodDetail, Money, Risk, Status, Transaction};

/// A transaction of which lines may still come.
#[derive(Default)]
pub struct Group {
    /// Numbers of its good lines.
    pub lines: Vec<u64>,
    /// The first bad line, which spoils the sum of all.
    pub spoilt_by: Option<u64>,
    rule: Option<usize>,
    created_at: Option<Instant>,
    amount: Decimal,
    fee: Option<Decimal>,
    status: Option<Status>,
    customer: Option<String>,
    attributes: Vec<(String, String)>,
    fields: Vec<(TextField, String)>,
    items: Vec<Item>,
}

impl Group {
    /// Adds a line.
    ///
    /// # Errors
    /// A fault when the line does not go with those before it.
    pub fn add(&mut self, line: MappedLine) -> Result<(), Fault> {
        if self.rule.is_some_and(|rule| rule != line.rule) {
            return Err(Fault::new("", RejectCode::UnknownKind));
        }
        if self.items.len() >= ITEMS_MAX {
            return Err(Fault::new("", RejectCode::TooManyItems));
        }
        let out_of_range = || Fault::new("", RejectCode::AmountOutOfRange);
        self.rule = Some(line.rule);
        self.created_at = Some(self.created_at.map_or(line.created_at, |at| at.min(line.created_at)));
        self.amount = self.amount.checked_add(line.amount).ok_or_else(out_of_range)?;
        if let Some(fee) = line.fee {
            self.fee = Some(self.fee.unwrap_or_default().checked_add(fee).ok_or_else(out_of_range)?);
        }
        // The first line that says something decides.
        self.status = self.status.or(line.status);
        self.customer = self.customer.take().or(line.customer);
        if self.attributes.is_empty() {
            self.attributes = line.attributes;
        }
        if self.fields.is_empty() {
            self.fields = line.fields;
        }
        self.items.extend(line.item);
        Ok(())
    }

    /// The sum of the lines, rounded once.
    fn amount(&mut self, sign: Sign, mapping: &TransactionMapping) -> Result<Money, Fault> {
        let sum = minor("", self.amount, mapping.currency)?;
        if sum < 0 && sign == Sign::AsIs {
            return Err(Fault::quoting("", RejectCode::NegativeAmount, &self.amount.to_string()));
        }
        self.turn_items_round(sum < 0);
        let out_of_range = |_| Fault::new("", RejectCode::AmountOutOfRange);
        Money::from_minor(sum.abs(), mapping.currency).map_err(out_of_range)
    }

    /// The kind of a transaction gives its direction: lines of money given back are counted up like those of a sale.
    fn turn_items_round(&mut self, are_negative: bool) {
        for item in self.items.iter_mut().filter(|_| are_negative) {
            item.quantity = -item.quantity;
            item.line_amount = -item.line_amount;
        }
    }

    /// The transaction of these lines.
    ///
    /// # Errors
    /// A fault of the whole: a sum out of range or with the wrong sign.
    pub fn finish(
        mut self,
        id: String,
        mapping: &TransactionMapping,
        context: &MappingContext<'_>,
    ) -> Result<Transaction, Fault> {
        let missing = || Fault::new("", RejectCode::Missing);
        let rule = self.rule.and_then(|rule| mapping.kind.get(rule)).ok_or_else(missing)?;
        let kind = rule.kind.ok_or_else(missing)?;
        let created_at = self.created_at.ok_or_else(missing)?;
        let amount = self.amount(rule.amount, mapping)?;
        let fee = self.fee.map(|fee| minor("", fee, mapping.currency)).transpose()?;
        let status = self.status.unwrap_or(settled(kind));
        if !status.fits(kind) {
            return Err(Fault::quoting("", RejectCode::UnknownStatus, status.as_str()));
        }
        let field = |wanted: TextField| {
            self.fields.iter().find(|(field, _)| *field == wanted).map(|(_, text)| text.clone())
        };
        let word = |own: Option<String>, of_all: &Option<String>| {
            own.or_else(|| of_all.clone()).and_then(|text| slug_of(&text))
        };
        Ok(Transaction {
            transaction_id: id,
            created_at,
            kind,
            status,
            amount,
            store: context.store,
            account: mapping.account.clone(),
            provider: word(field(TextField::Provider), &mapping.provider),
            method: word(field(TextField::Method), &mapping.method),
            aggregator: None,
            method_detail: MethodDetail::default(),
            scene: None,
            device: field(TextField::Device),
            operator: field(TextField::Operator),
            terminal: field(TextField::Terminal),
            shift: field(TextField::Shift),
            source: field(TextField::Source),
            campaign: field(TextField::Campaign),
            promotion: field(TextField::Promotion),
            order_id: field(TextField::OrderId),
            payment_id: field(TextField::PaymentId),
            attempt: None,
            parent_transaction_id: field(TextField::ParentTransactionId),
            provider_transaction_id: field(TextField::ProviderTransactionId),
            subscription_id: None,
            submitted_at: None,
            authorized_at: None,
            completed_at: None,
            settled_on: None,
            updated_at: None,
            failure_code: field(TextField::FailureCode),
            failure_message: field(TextField::FailureMessage),
            failure_class: None,
            list_amount: None,
            discount_merchant: None,
            discount_platform: None,
            tax: None,
            fee,
            fee_refunded: None,
            customer: self.customer,
            payment_fingerprint: None,
            ip: None,
            items: self.items,
            risk: Risk::default(),
            attributes: self.attributes,
            test: false,
        })
    }
}

/// What a file of finished sales means where it has no column for it.
const fn settled(kind: Kind) -> Status {
    match kind {
        Kind::Payment | Kind::Refund | Kind::TopUp => Status::Succeeded,
        Kind::Dispute => Status::Opened,
        Kind::Hold => Status::Held,
    }
}
