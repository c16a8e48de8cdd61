use rust_decimal::Decimal;

use crate::analytics::{AmountRange, FieldValue, TransactionDetail, TransactionLine};
use crate::domain::{BusinessDay, Kind, Store, business_day_of};

/// The store's business day that a transaction is counted on.
pub fn day_of(line: &TransactionLine, store: &Store) -> BusinessDay {
    business_day_of(store, line.at())
}

/// What the shop keeps of a posted payment, in minor units: amount − fee. `None` for others, and where no fee is stated.
pub fn net_minor(line: &TransactionLine) -> Option<i64> {
    let paid = line.kind == Kind::Payment && line.status.is_posted();
    line.fee.filter(|_| paid).map(|fee| line.amount - fee)
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
    /// Less what was returned.
    pub fee: Option<i64>,
    /// Paid − refunded − fee; `None` while the fee is not known.
    pub proceeds: Option<i64>,
}

impl Waterfall {
    /// Of a posted payment; `None` for everything else.
    pub fn of(detail: &TransactionDetail) -> Option<Self> {
        let line = &detail.current.line;
        if line.kind != Kind::Payment || !line.status.is_posted() {
            return None;
        }
        let stated = |name: &str| {
            detail.current.fields.iter().find_map(|(field, value)| match value {
                FieldValue::Integer(minor) if field == name => Some(*minor),
                _ => None,
            })
        };
        let fee = line.fee.map(|fee| fee - stated("fee_refunded").unwrap_or(0));
        let refunded = detail
            .related
            .iter()
            .filter(|other| other.kind == Kind::Refund && other.status.is_posted() && !other.witness)
            .filter(|other| other.currency == line.currency)
            .map(|other| other.amount)
            .sum();
        Some(Self {
            list: stated("list_amount"),
            discount_merchant: stated("discount_merchant"),
            discount_platform: stated("discount_platform"),
            paid: line.amount,
            refunded,
            fee,
            proceeds: fee.map(|fee| line.amount - refunded - fee),
        })
    }
}

/// What a person typed into the search field.
#[derive(Clone, Debug, PartialEq)]
pub enum Search {
    /// An id: of the order, the payment, the transaction, at the provider.
    Id(String),
    /// `=12.50`, `10..20`, `10..`, `..20`: amounts in major units, both ends included.
    Amount(AmountRange),
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
            return Some(Self::Amount(AmountRange { least: Some(amount), most: Some(amount) }));
        }
        if let Some((least, most)) = text.split_once("..") {
            let range = AmountRange { least: decimal(least), most: decimal(most) };
            let readable = |text: &str, number: Option<Decimal>| text.trim().is_empty() || number.is_some();
            let any = range.least.is_some() || range.most.is_some();
            if any && readable(least, range.least) && readable(most, range.most) {
                return Some(Self::Amount(range));
            }
        }
        Some(Self::Id(text))
    }
}

fn decimal(text: &str) -> Option<Decimal> {
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use crate::analytics::TransactionVersion;
    use crate::domain::{Currency, RecordKey, Status, StoreId, Word};

    use super::super::testing::{at, day, store};
    use super::*;

    fn line(kind: Kind, status: Status, amount: i64, fee: Option<i64>) -> TransactionLine {
        TransactionLine {
            key: RecordKey { high: 0, low: 0 },
            day: day("2026-11-24"),
            store: StoreId(1),
            transaction_id: "t1".into(),
            created_at: at("2026-11-24T15:59:00Z"),
            completed_at: Some(at("2026-11-24T16:01:00Z")),
            kind,
            status,
            amount,
            currency: Currency::CNY,
            provider: Word::NONE,
            method: Word::NONE,
            scene: None,
            operator: Word::NONE,
            order_id: None,
            payment_id: None,
            provider_transaction_id: None,
            customer: None,
            fee,
            failure_code: None,
            failure_class: None,
            witness: false,
            test: false,
        }
    }

    #[test]
    fn the_net_of_a_payment_needs_its_fee() {
        assert_eq!(net_minor(&line(Kind::Payment, Status::Succeeded, 1_000, Some(6))), Some(994));
        assert_eq!(net_minor(&line(Kind::Payment, Status::Succeeded, 1_000, None)), None);
        assert_eq!(net_minor(&line(Kind::Payment, Status::Failed, 1_000, Some(6))), None);
        assert_eq!(net_minor(&line(Kind::Refund, Status::Succeeded, 1_000, Some(6))), None);
    }

    #[test]
    fn a_payment_is_counted_on_the_day_it_was_paid() {
        let line = line(Kind::Payment, Status::Succeeded, 1_000, None);
        assert_eq!(day_of(&line, &store(1, chrono_tz::Tz::Asia__Shanghai)), day("2026-11-25"));
    }

    #[test]
    fn a_payment_runs_from_list_to_proceeds() {
        let version = |line, fields: &[(&str, i64)]| TransactionVersion {
            line,
            received_at: at("2026-11-24T16:02:00Z"),
            updated_at: None,
            feed: "api".into(),
            fields: fields
                .iter()
                .map(|(name, minor)| ((*name).to_owned(), FieldValue::Integer(*minor)))
                .collect(),
        };
        let fields = [("list_amount", 11_000), ("discount_merchant", 1_000), ("fee_refunded", 10)];
        let detail = TransactionDetail {
            current: version(line(Kind::Payment, Status::Succeeded, 10_000, Some(60)), &fields),
            history: Vec::new(),
            related: vec![
                line(Kind::Refund, Status::Succeeded, 1_500, None),
                line(Kind::Refund, Status::Pending, 700, None),
                line(Kind::Payment, Status::Failed, 10_000, None),
            ],
        };
        let money = Waterfall::of(&detail).unwrap();
        assert_eq!(
            (money.list, money.discount_merchant, money.discount_platform),
            (Some(11_000), Some(1_000), None)
        );
        assert_eq!((money.refunded, money.fee, money.proceeds), (1_500, Some(50), Some(8_450)));
        let failed = TransactionDetail {
            current: version(line(Kind::Payment, Status::Failed, 10_000, None), &[]),
            history: Vec::new(),
            related: Vec::new(),
        };
        assert_eq!(Waterfall::of(&failed), None);
    }

    #[test]
    fn searches_are_ids_or_amounts() {
        let amount = |least: Option<&str>, most: Option<&str>| {
            let number = |text: Option<&str>| text.map(|text| text.parse().unwrap());
            Some(Search::Amount(AmountRange { least: number(least), most: number(most) }))
        };
        assert_eq!(Search::parse("=12.50"), amount(Some("12.50"), Some("12.50")));
        assert_eq!(Search::parse("10..20"), amount(Some("10"), Some("20")));
        assert_eq!(Search::parse(" ..20 "), amount(None, Some("20")));
        assert_eq!(Search::parse("a..b"), Some(Search::Id("a..b".into())));
        assert_eq!(Search::parse(".."), Some(Search::Id("..".into())));
        assert_eq!(Search::parse("  "), None);
    }
}
