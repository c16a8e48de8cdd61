use std::collections::BTreeMap;

use rust_decimal::Decimal;

use crate::domain::{
    BusinessDay, Currency, Instant, Kind, LedgerLine, RecordKey, Status, Store, StoreId, Stored, Transaction,
    Word, business_day_of,
};

/// A page of rows, youngest first, and what the whole filter comes to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TransactionList {
    pub rows: Vec<TransactionRow>,
    /// Of every row that the filter takes, not only those on this page.
    pub totals: BTreeMap<Currency, ListTotals>,
    /// Where the next page begins; `None` on the last.
    pub next: Option<Cursor>,
}

/// How many rows a page has.
pub const TRANSACTIONS_PAGE_MAX: usize = 100;

/// A place between two rows: the rows after it are older, or as old with a larger key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub at: Instant,
    pub key: RecordKey,
}

/// Counts and sums of one currency. Minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ListTotals {
    /// Rows of every kind and status.
    pub rows: i64,
    /// Payments posted, captured deposits among them.
    pub payments: i64,
    pub paid: i128,
    pub refunds: i64,
    pub refunded: i128,
    /// Of the payments, stated fees …
    pub fee: i128,
    /// … and how many state none.
    pub fee_unknown: i64,
}

impl ListTotals {
    /// Counts one row in.
    pub fn add(&mut self, row: &TransactionRow) {
        self.rows += 1;
        if !row.status.is_posted() {
            return;
        }
        match row.kind {
            Kind::Payment | Kind::Hold => {
                self.payments += 1;
                self.paid += i128::from(row.amount_minor);
                self.fee += i128::from(row.fee_minor.unwrap_or(0));
                self.fee_unknown += i64::from(row.fee_minor.is_none());
            }
            Kind::Refund => {
                self.refunds += 1;
                self.refunded += i128::from(row.amount_minor);
            }
            Kind::Dispute | Kind::TopUp => {}
        }
    }
}

/// One transaction in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionRow {
    /// In URLs: 32 hex digits.
    pub key: RecordKey,
    pub transaction_id: String,
    pub store: StoreId,
    /// The store's business day of `at`.
    pub day: BusinessDay,
    /// The cash clock: completed, else created.
    pub at: Instant,
    pub created_at: Instant,
    pub kind: Kind,
    pub status: Status,
    pub provider: Word,
    pub method: Word,
    pub scene: Word,
    pub currency: Currency,
    /// Minor units, unsigned; the kind gives the direction.
    pub amount_minor: i64,
    /// `None`: not stated.
    pub fee_minor: Option<i64>,
    pub order_id: Option<String>,
    pub provider_transaction_id: Option<String>,
    pub operator: Option<String>,
    /// Keyed hash.
    pub customer: Option<String>,
    pub failure_code: Option<String>,
}

impl TransactionRow {
    /// The row of a stored transaction.
    pub fn of(stored: &Stored<Transaction>, store: &Store) -> Self {
        let record = &stored.record;
        let at = record.completed_at.unwrap_or(record.created_at);
        Self {
            key: stored.key,
            transaction_id: record.transaction_id.clone(),
            store: record.store,
            day: business_day_of(store, at),
            at,
            created_at: record.created_at,
            kind: record.kind,
            status: record.status,
            provider: record.provider.unwrap_or(Word::NONE),
            method: record.method.unwrap_or(Word::NONE),
            scene: record.scene.map_or(Word::NONE, |scene| Word::of(scene.as_str())),
            currency: record.amount.currency(),
            amount_minor: record.amount.minor(),
            fee_minor: record.fee,
            order_id: record.order_id.clone(),
            provider_transaction_id: record.provider_transaction_id.clone(),
            operator: record.operator.clone(),
            customer: record.customer.clone(),
            failure_code: record.failure_code.clone(),
        }
    }

    /// What the shop keeps of a posted payment: amount − fee. `None` for others, and where the fee is not stated.
    pub fn net_minor(&self) -> Option<i64> {
        let paid = self.kind == Kind::Payment && self.status.is_posted();
        self.fee_minor.filter(|_| paid).map(|fee| self.amount_minor - fee)
    }
}

/// Everything known of one transaction.
#[derive(Clone, Debug, PartialEq)]
pub struct TransactionDetail {
    pub row: TransactionRow,
    /// The latest version.
    pub record: Stored<Transaction>,
    /// Superseded versions, youngest first.
    pub earlier: Vec<Stored<Transaction>>,
    /// Other attempts, refunds and disputes of the same payment or order, oldest first.
    pub related: Vec<TransactionRow>,
    /// What bills say of it.
    pub ledger: Vec<Stored<LedgerLine>>,
    pub money: Waterfall,
}

/// One payment from list amount to what arrives. Minor units; `None` is not stated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waterfall {
    pub list: Option<i64>,
    pub discount_merchant: Option<i64>,
    pub discount_platform: Option<i64>,
    pub paid: i64,
    /// Posted refunds of this payment.
    pub refunded: i64,
    /// From the record, else from the bill.
    pub fee: Option<i64>,
    /// Paid − refunded − fee.
    pub proceeds: Option<i64>,
}

impl Waterfall {
    /// Of a posted payment, its refunds and its bill lines.
    pub fn of(payment: &Transaction, refunds: &[TransactionRow], ledger: &[Stored<LedgerLine>]) -> Self {
        let billed =
            ledger.iter().map(|line| line.record.fee).reduce(|all, fee| all.zip(fee).map(|(a, b)| a + b));
        let own = payment.fee.map(|fee| fee - payment.fee_refunded.unwrap_or(0));
        // The bill is what was really charged.
        let fee = billed.flatten().or(own);
        let refunded = refunds
            .iter()
            .filter(|row| row.kind == Kind::Refund && row.status.is_posted())
            .map(|row| row.amount_minor)
            .sum();
        let paid = payment.amount.minor();
        Self {
            list: payment.list_amount,
            discount_merchant: payment.discount_merchant,
            discount_platform: payment.discount_platform,
            paid,
            refunded,
            fee,
            proceeds: fee.map(|fee| paid - refunded - fee),
        }
    }
}

/// What a person typed into the search field.
#[derive(Clone, Debug, PartialEq)]
pub enum Search {
    /// An id: of the order, the payment, the transaction, at the provider.
    Id(String),
    /// `=12.50`, `10..20`, `10..`, `..20`: amounts in major units, both ends included.
    Amount { least: Option<Decimal>, most: Option<Decimal> },
}

/// Longest search text, in characters: as long as the longest id.
pub const SEARCH_CHARS_MAX: usize = 128;

impl Search {
    /// Reads the field; `None` when it is empty.
    pub fn parse(text: &str) -> Option<Self> {
        let text: String = text.trim().chars().take(SEARCH_CHARS_MAX).collect();
        if text.is_empty() {
            return None;
        }
        if let Some(amount) = text.strip_prefix(['=', '＝']).and_then(decimal) {
            return Some(Self::Amount { least: Some(amount), most: Some(amount) });
        }
        if let Some((least, most)) = text.split_once("..") {
            let (least_number, most_number) = (decimal(least), decimal(most));
            let readable = |text: &str, number: Option<Decimal>| text.trim().is_empty() || number.is_some();
            let any = least_number.is_some() || most_number.is_some();
            if any && readable(least, least_number) && readable(most, most_number) {
                return Some(Self::Amount { least: least_number, most: most_number });
            }
        }
        Some(Self::Id(text))
    }

    /// True when an amount lies in what was asked; `None` for ids, which are looked for in the rows.
    pub fn takes_amount(&self, amount_minor: i64, currency: Currency) -> Option<bool> {
        let Self::Amount { least, most } = self else { return None };
        let major = Decimal::new(amount_minor, currency.exponent());
        Some(least.is_none_or(|least| least <= major) && most.is_none_or(|most| major <= most))
    }
}

fn decimal(text: &str) -> Option<Decimal> {
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{at, day};
    use super::*;

    fn row(kind: Kind, status: Status, amount_minor: i64, fee_minor: Option<i64>) -> TransactionRow {
        TransactionRow {
            key: RecordKey { high: 0, low: 0 },
            transaction_id: "t1".into(),
            store: StoreId(1),
            day: day("2026-11-24"),
            at: at("2026-11-24T04:00:00Z"),
            created_at: at("2026-11-24T04:00:00Z"),
            kind,
            status,
            provider: Word::NONE,
            method: Word::NONE,
            scene: Word::NONE,
            currency: Currency::CNY,
            amount_minor,
            fee_minor,
            order_id: None,
            provider_transaction_id: None,
            operator: None,
            customer: None,
            failure_code: None,
        }
    }

    #[test]
    fn totals_count_what_was_posted() {
        let mut totals = ListTotals::default();
        for row in [
            row(Kind::Payment, Status::Succeeded, 1_000, Some(6)),
            row(Kind::Payment, Status::Succeeded, 2_000, None),
            row(Kind::Payment, Status::Failed, 9_999, None),
            row(Kind::Payment, Status::Pending, 9_999, None),
            row(Kind::Refund, Status::Succeeded, 300, None),
            row(Kind::Refund, Status::Pending, 700, None),
            row(Kind::Hold, Status::Captured, 500, None),
            row(Kind::Hold, Status::Held, 800, None),
            row(Kind::TopUp, Status::Succeeded, 5_000, None),
        ] {
            totals.add(&row);
        }
        assert_eq!((totals.rows, totals.payments, totals.paid), (9, 3, 3_500));
        assert_eq!((totals.refunds, totals.refunded), (1, 300));
        assert_eq!((totals.fee, totals.fee_unknown), (6, 2));
    }

    #[test]
    fn the_net_of_a_payment_needs_its_fee() {
        assert_eq!(row(Kind::Payment, Status::Succeeded, 1_000, Some(6)).net_minor(), Some(994));
        assert_eq!(row(Kind::Payment, Status::Succeeded, 1_000, None).net_minor(), None);
        assert_eq!(row(Kind::Payment, Status::Failed, 1_000, Some(6)).net_minor(), None);
    }

    #[test]
    fn searches_are_ids_or_amounts() {
        let amount = |least: Option<&str>, most: Option<&str>| {
            let number = |text: Option<&str>| text.map(|text| text.parse().unwrap());
            Some(Search::Amount { least: number(least), most: number(most) })
        };
        assert_eq!(Search::parse("=12.50"), amount(Some("12.50"), Some("12.50")));
        assert_eq!(Search::parse("10..20"), amount(Some("10"), Some("20")));
        assert_eq!(Search::parse(" ..20 "), amount(None, Some("20")));
        assert_eq!(Search::parse("a..b"), Some(Search::Id("a..b".into())));
        assert_eq!(Search::parse(".."), Some(Search::Id("..".into())));
        assert_eq!(Search::parse("  "), None);
        let search = Search::parse("10..20").unwrap();
        assert_eq!(search.takes_amount(2_000, Currency::CNY), Some(true));
        assert_eq!(search.takes_amount(2_001, Currency::CNY), Some(false));
        let yen = Currency::parse("JPY").unwrap();
        assert_eq!(search.takes_amount(15, yen), Some(true));
        assert_eq!(Search::Id("x".into()).takes_amount(1, yen), None);
    }
}
