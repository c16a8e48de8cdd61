use super::super::columns::Columns;
use super::super::fields::Fields;
use super::super::rejection::Fault;
use super::super::values;
use crate::domain::{Currency, Direction, LedgerKind, MethodDetail, Word};

/// What a type of record is for us, and which way its money goes where the columns do not agree. `None` for those that
/// say no more than that something was corrected or moved between Adyen's own registers.
pub fn kind_of(kind: &str) -> Option<(LedgerKind, Direction)> {
    use Direction::{In, Out};
    Some(match kind.to_ascii_lowercase().as_str() {
        "settled" | "settledexternally" | "settledininstallments" | "settledbulk" => {
            (LedgerKind::Payment, In)
        }
        "settledreversed" | "settledexternallyreversed" => (LedgerKind::Payment, Out),
        "refunded" | "refundedexternally" | "refundedininstallments" | "refundedbulk" | "paidout" => {
            (LedgerKind::Refund, Out)
        }
        "refundedreversed" | "refundedexternallyreversed" => (LedgerKind::Refund, In),
        "chargeback" | "secondchargeback" | "chargebackexternally" | "requestforinformation" => {
            (LedgerKind::Dispute, Out)
        }
        "chargebackreversed" | "chargebackreversedexternally" | "chargebackexternallyreversed" => {
            (LedgerKind::Dispute, In)
        }
        "fee" | "invoicededuction" | "misccosts" | "paymentcost" => (LedgerKind::Fee, Out),
        "merchantpayout" => (LedgerKind::Payout, Out),
        "balancetransfer" | "banktransfer" => (LedgerKind::Transfer, Out),
        _ => return None,
    })
}

/// Adyen's names of cards, and what they are called elsewhere.
const CARDS: [(&str, &str); 14] = [
    ("visa", "visa"),
    ("mc", "mastercard"),
    ("amex", "amex"),
    ("diners", "diners"),
    ("discover", "discover"),
    ("jcb", "jcb"),
    ("cup", "unionpay"),
    ("maestro", "maestro"),
    ("bcmc", "bancontact"),
    ("cartebancaire", "cartes_bancaires"),
    ("elo", "elo"),
    ("hipercard", "hipercard"),
    ("dankort", "dankort"),
    ("eftpos_australia", "eftpos"),
];

/// `visa` with `visacredit_applepay` is a card with its brand, funding and wallet; others stand for themselves.
pub fn method_of(method: &str, variant: &str) -> (Option<Word>, MethodDetail) {
    let (method, variant) = (method.to_ascii_lowercase(), variant.to_ascii_lowercase());
    let (plain, wallet) = match method.split_once('_') {
        Some((card, wallet)) if CARDS.iter().any(|(name, _)| *name == card) => {
            (card.to_owned(), Some(wallet))
        }
        _ => (method.clone(), None),
    };
    let Some((_, brand)) = CARDS.iter().find(|(name, _)| *name == plain) else {
        let word = match method.as_str() {
            "wechatpay" | "wechatpayqr" | "wechatpayweb" | "wechatpaysdk" | "wechatpay_pos" => {
                Some(Word::of("wechat_pay"))
            }
            other => values::slug(other),
        };
        return (word, MethodDetail::default());
    };
    let funding = ["credit", "debit", "prepaid"].into_iter().find(|word| variant.contains(word));
    let wallet = wallet.map(str::to_owned).or_else(|| {
        ["applepay", "googlepay"].into_iter().find(|word| variant.contains(word)).map(str::to_owned)
    });
    let detail = MethodDetail {
        bank: None,
        card_brand: Some((*brand).to_owned()),
        funding: funding.map(str::to_owned),
        wallet,
    };
    (Some(Word::of("card")), detail)
}

/// The four columns of fees: a commission, or what the interchange fee is made of. Chargeback fees stand in one or the
/// other, depending on the report, so all are summed.
pub struct FeePlaces([Option<usize>; 4]);

impl FeePlaces {
    /// Finds them; `unit` is how the report marks the settlement currency.
    pub fn of(columns: &Columns, unit: &str) -> Self {
        let names = ["Commission", "Markup", "Scheme Fees", "Interchange"];
        Self(names.map(|name| columns.find(&[&format!("{name} ({unit})")])))
    }

    /// Their sum, rounded once; `None` where none is filled.
    pub fn sum(&self, fields: &Fields<'_>, currency: Currency) -> Result<Option<i64>, Fault> {
        let mut sum = None;
        for place in self.0.into_iter().filter(|place| !fields.at(*place).is_empty()) {
            let fee = values::decimal(fields.name(place), fields.at(place))?;
            sum = Some(sum.unwrap_or(rust_decimal::Decimal::ZERO) + fee);
        }
        sum.map(|sum| values::minor("Commission", sum, currency)).transpose()
    }
}
