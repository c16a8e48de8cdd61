//! Adyen: batches of items, each signed over eight of its fields (HMAC-SHA-256, the key as hex).
//!
//! Neither the date nor the reason of an item is signed, and later items about a payment do not say when it began. So
//! items are facts, known by reference, event and success, and the first that says a thing is believed: the same item
//! with another date is no second payment.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Provider;
use super::delivery::Notice;
use super::derive::{Derived, version};
use super::exponents::provider_money;
use super::fields::{Fields, parse};
use super::keys::{Key, Keys, SecretKind, from_base64, is_hmac_sha256};
use super::reading::{
    EndpointContext, Fault, FaultCode, Reading, Said, currency, failed_with, id, label, money, slug,
    transaction,
};
use super::unverified::Unverified;
use crate::domain::{Kind, Status, Transaction, Word, instant_from_ms};

const PROVIDER: &str = "adyen";
/// Items of one batch; Adyen sends at most six.
const ITEMS_MAX: usize = 100;

/// A batch of which every item was signed for this merchant account.
#[derive(Debug)]
pub(super) struct Proved {
    items: Vec<Value>,
    test: bool,
    pub used: Vec<String>,
}

/// Proves a batch: as a whole, or not at all.
pub(super) fn prove(
    notice: &Notice<'_>,
    keys: &Keys,
    context: &EndpointContext<'_>,
) -> Result<Proved, Unverified> {
    let body = parse(notice.body).map_err(|_| Unverified::Malformed)?;
    let list = body.get("notificationItems").and_then(Value::as_array).ok_or(Unverified::Malformed)?;
    if list.is_empty() || list.len() > ITEMS_MAX {
        return Err(Unverified::Malformed);
    }
    if keys.of(SecretKind::HmacKey).next().is_none() {
        return Err(Unverified::NoKey);
    }
    let mut proved = Proved { items: Vec::new(), test: is_test(&body, context), used: Vec::new() };
    for wrapped in list {
        let item = wrapped.get("NotificationRequestItem").ok_or(Unverified::Malformed)?;
        let key = signer(item, keys)?;
        if text(item, "merchantAccountCode") != context.account {
            return Err(Unverified::OtherAccount);
        }
        if !proved.used.contains(&key.id) {
            proved.used.push(key.id.clone());
        }
        proved.items.push(item.clone());
    }
    Ok(proved)
}

/// `live` is the text "true" or "false".
fn is_test(body: &Value, context: &EndpointContext<'_>) -> bool {
    let live = body.get("live").and_then(|live| live.as_str().map(|text| text == "true").or(live.as_bool()));
    context.test || live == Some(false)
}

/// The key that signed an item.
fn signer<'k>(item: &Value, keys: &'k Keys) -> Result<&'k Key, Unverified> {
    let tag = item.pointer("/additionalData/hmacSignature").and_then(Value::as_str);
    let tag = tag.ok_or(Unverified::SignatureMissing)?;
    let tag = from_base64(tag).ok_or(Unverified::SignatureWrong)?;
    let message = signed_text(item);
    keys.of(SecretKind::HmacKey)
        .find(|key| is_hmac_sha256(key, &[message.as_bytes()], &tag))
        .ok_or(Unverified::SignatureWrong)
}

/// The eight fields with colons between; what is missing is empty, and nothing is escaped.
pub(super) fn signed_text(item: &Value) -> String {
    let value = item.pointer("/amount/value").filter(|value| !value.is_null());
    let value = value.map(ToString::to_string).unwrap_or_default();
    let currency = item.pointer("/amount/currency").and_then(Value::as_str).unwrap_or_default();
    let success = match item.get("success") {
        Some(Value::Bool(success)) => success.to_string(),
        _ => text(item, "success").to_owned(),
    };
    [
        text(item, "pspReference"),
        text(item, "originalReference"),
        text(item, "merchantAccountCode"),
        text(item, "merchantReference"),
        &value,
        currency,
        text(item, "eventCode"),
        &success,
    ]
    .join(":")
}

fn text<'a>(item: &'a Value, name: &str) -> &'a str {
    item.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// What an item is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Subject {
    Payment,
    Refund,
    Dispute,
}

/// What an item says of a payment, refund or dispute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Step {
    Authorised,
    Refused,
    CaptureFailed,
    Expired,
    Cancelled,
    Captured,
    Refunded,
    RefundRefused,
    /// The refund came back.
    RefundReturned,
    Inquiry,
    Charged,
    Won,
    Lost,
}

/// The event codes that are understood; `None` is passed over.
fn step(event: &str, success: bool, item: &Fields<'_>) -> Option<(Subject, Step)> {
    use Subject::{Dispute, Payment, Refund};
    let action = |name| {
        item.value("additionalData")
            .and_then(|data| data.get(name))
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    Some(match (event, success) {
        ("AUTHORISATION", true) => (Payment, Step::Authorised),
        ("AUTHORISATION", false) => (Payment, Step::Refused),
        ("CAPTURE", true) => (Payment, Step::Captured),
        ("CAPTURE", false) | ("CAPTURE_FAILED", true) => (Payment, Step::CaptureFailed),
        ("CANCELLATION" | "TECHNICAL_CANCEL", true) => (Payment, Step::Cancelled),
        ("EXPIRE" | "OFFER_CLOSED", true) => (Payment, Step::Expired),
        ("CANCEL_OR_REFUND", true) if action("modification.action") == "cancel" => (Payment, Step::Cancelled),
        ("CANCEL_OR_REFUND", true) if action("modification.action") == "refund" => (Refund, Step::Refunded),
        ("REFUND" | "REFUND_WITH_DATA", true) => (Refund, Step::Refunded),
        ("REFUND" | "REFUND_WITH_DATA", false) => (Refund, Step::RefundRefused),
        ("REFUND_FAILED" | "REFUNDED_REVERSED", true) => (Refund, Step::RefundReturned),
        ("REQUEST_FOR_INFORMATION" | "NOTIFICATION_OF_CHARGEBACK", true) => (Dispute, Step::Inquiry),
        ("CHARGEBACK", true) => (Dispute, Step::Charged),
        ("CHARGEBACK_REVERSED" | "PREARBITRATION_WON", true) => (Dispute, Step::Won),
        ("SECOND_CHARGEBACK" | "PREARBITRATION_LOST", true) => (Dispute, Step::Lost),
        _ => return None,
    })
}

/// What one item says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ItemFact {
    subject: Subject,
    step: Step,
    /// The item's own reference.
    reference: String,
    /// The payment that it is about.
    payment: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    order: Option<String>,
    amount: i64,
    currency: String,
    at_ms: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure_message: Option<String>,
    test: bool,
}

impl Proved {
    /// What it says, item by item.
    pub(super) fn read(&self, context: &EndpointContext<'_>) -> Reading {
        let mut reading = Reading::default();
        for item in &self.items {
            let said = Fields::of("NotificationRequestItem", item).and_then(|fields| {
                let said = self.said(&fields, context);
                reading.unread_fields += fields.unread();
                said
            });
            reading.add(text(item, "eventCode"), said);
        }
        reading
    }

    fn said(&self, item: &Fields<'_>, context: &EndpointContext<'_>) -> Result<Said, Fault> {
        let event = item.needed_text("eventCode")?;
        let success = item.truth("success").unwrap_or_else(|| item.text("success") == Some("true"));
        item.value("merchantAccountCode");
        let Some((subject, step)) = step(event, success, item) else { return Ok(Said::Nothing) };
        let reference = item.id("pspReference")?;
        let original = item.optional_id("originalReference")?;
        let amount = item.needed_object("amount")?;
        let unit = currency("currency", amount.needed_text("currency")?)?;
        let at = item.moment("eventDate", context)?;
        let about = match (subject, step) {
            (Subject::Payment, Step::Authorised | Step::Refused) => reference.clone(),
            (Subject::Payment, _) => original.clone().unwrap_or_else(|| reference.clone()),
            _ => reference.clone(),
        };
        let mut fact = ItemFact {
            subject,
            step,
            payment: original.unwrap_or_else(|| reference.clone()),
            order: item.text("merchantReference").map(|order| id("merchantReference", order)).transpose()?,
            amount: provider_money(Provider::Adyen, "value", amount.needed_integer("value")?, unit)?.minor(),
            currency: unit.code().to_owned(),
            at_ms: at.ok_or_else(|| Fault::new("eventDate", FaultCode::Missing))?.timestamp_millis(),
            method: item.text("paymentMethod").and_then(label),
            failure_code: None,
            failure_message: None,
            test: self.test,
            reference: reference.clone(),
        };
        if !success || subject == Subject::Dispute || step == Step::RefundReturned {
            // Of an authorised payment the reason holds digits of the card, and is not looked at.
            fact.failure_message = item.text("reason").map(str::to_owned);
            fact.failure_code = failure_code(item);
        }
        let shopper = item.value("additionalData").and_then(|data| data.get("shopperReference"));
        let shopper = shopper.and_then(Value::as_str).filter(|shopper| !shopper.is_empty());
        let customer = shopper.map(|shopper| context.pseudonyms.of("customer", PROVIDER, shopper));
        let kind = match subject {
            Subject::Payment => "payment",
            Subject::Refund => "refund",
            Subject::Dispute => "dispute",
        };
        Said::fact(format!("{kind}/{about}"), format!("{event}/{success}/{reference}"), &fact, customer)
    }
}

/// The issuer's own code (`05 : Do not honor`), or the words of the reason.
fn failure_code(item: &Fields<'_>) -> Option<String> {
    let raw = |name| item.value("additionalData").and_then(|data| data.get(name)).and_then(Value::as_str);
    let numbered = raw("refusalReasonRaw").and_then(|raw| raw.split_once(':')).map(|(code, _)| code.trim());
    let numbered =
        numbered.filter(|code| code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    numbered.or_else(|| raw("chargebackReasonCode")).or_else(|| item.text("reason")).and_then(label)
}

/// The row that the facts about one subject make.
pub(super) fn derive(
    facts: &[ItemFact],
    customer: Option<&str>,
    context: &EndpointContext<'_>,
) -> Result<Vec<Derived>, Fault> {
    let Some(last) = facts.iter().max_by_key(|fact| (fact.step, fact.at_ms, fact.reference.clone())) else {
        return Ok(Vec::new());
    };
    let mut row = match last.subject {
        Subject::Payment => payment(facts, last, context)?,
        Subject::Refund => reversal(Kind::Refund, facts, last, context)?,
        Subject::Dispute => reversal(Kind::Dispute, facts, last, context)?,
    };
    row.customer = customer.map(str::to_owned);
    row.updated_at =
        Some(version(facts.iter().map(|fact| fact.at_ms).max().unwrap_or_default(), facts.len()));
    Ok(vec![Derived::new(row)])
}

fn payment(facts: &[ItemFact], last: &ItemFact, context: &EndpointContext<'_>) -> Result<Transaction, Fault> {
    let began = facts.iter().find(|fact| matches!(fact.step, Step::Authorised | Step::Refused));
    let failed = |capture: &ItemFact| {
        facts.iter().any(|fact| fact.step == Step::CaptureFailed && fact.reference == capture.reference)
    };
    let captures: Vec<&ItemFact> =
        facts.iter().filter(|fact| fact.step == Step::Captured && !failed(fact)).collect();
    // What decides: a capture that held, else the furthest step that is no capture.
    let deciding = match captures.iter().max_by_key(|fact| fact.at_ms) {
        Some(capture) => capture,
        None => facts
            .iter()
            .filter(|fact| fact.step != Step::Captured)
            .max_by_key(|fact| fact.step)
            .unwrap_or(last),
    };
    let status = match deciding.step {
        Step::Authorised if context.manual_capture => Status::Authorized,
        Step::Authorised | Step::Captured => Status::Succeeded,
        Step::Cancelled => Status::Cancelled,
        Step::Expired => Status::Expired,
        _ => Status::Failed,
    };
    let basis = began.unwrap_or(deciding);
    let unit = currency("currency", &basis.currency)?;
    let taken = captures.iter().map(|capture| capture.amount).fold(0_i64, i64::saturating_add);
    let amount = money("value", if captures.is_empty() { basis.amount } else { taken }, unit)?;
    let created_ms = began.map_or_else(|| first(facts), |fact| fact.at_ms);
    let own = match deciding.step {
        Step::Authorised | Step::Refused => deciding.reference.clone(),
        _ => deciding.payment.clone(),
    };
    let mut row = row_of(Kind::Payment, own, created_ms, status, amount, basis, context);
    row.provider_transaction_id = Some(row.transaction_id.clone());
    row.authorized_at =
        began.filter(|fact| fact.step == Step::Authorised).map(|fact| instant_from_ms(fact.at_ms));
    row.completed_at = status.is_terminal().then(|| instant_from_ms(deciding.at_ms));
    if status == Status::Failed {
        failed_with(&mut row, deciding.failure_code.as_deref(), deciding.failure_message.as_deref());
    }
    Ok(row)
}

fn reversal(
    kind: Kind,
    facts: &[ItemFact],
    last: &ItemFact,
    context: &EndpointContext<'_>,
) -> Result<Transaction, Fault> {
    let status = match last.step {
        Step::Refunded => Status::Succeeded,
        Step::Inquiry => Status::Opened,
        Step::Charged => Status::EvidenceDue,
        Step::Won => Status::Won,
        Step::Lost => Status::Lost,
        _ => Status::Failed,
    };
    // Some inquiries say no amount.
    let basis = facts.iter().max_by_key(|fact| (fact.amount, fact.reference.clone())).unwrap_or(last);
    let amount = money("value", basis.amount, currency("currency", &basis.currency)?)?;
    let mut row = row_of(kind, last.reference.clone(), first(facts), status, amount, last, context);
    row.provider_transaction_id = Some(last.reference.clone());
    row.parent_transaction_id = Some(last.payment.clone());
    row.completed_at = status.is_terminal().then(|| instant_from_ms(last.at_ms));
    failed_with(&mut row, last.failure_code.as_deref(), last.failure_message.as_deref());
    Ok(row)
}

fn first(facts: &[ItemFact]) -> i64 {
    facts.iter().map(|fact| fact.at_ms).min().unwrap_or_default()
}

fn row_of(
    kind: Kind,
    own: String,
    created_ms: i64,
    status: Status,
    amount: crate::domain::Money,
    fact: &ItemFact,
    context: &EndpointContext<'_>,
) -> Transaction {
    let context = EndpointContext { test: fact.test, ..*context };
    let mut row = transaction(&context, kind, own, instant_from_ms(created_ms), status, amount);
    row.provider = Some(Word::of(PROVIDER));
    row.order_id.clone_from(&fact.order);
    let told = fact.method.as_deref().unwrap_or_default();
    let (brand, wallet) = told.split_once('_').map_or((told, None), |(brand, rest)| (brand, Some(rest)));
    let known = CARD_BRANDS.iter().find(|(variant, _)| *variant == brand).map(|(_, brand)| *brand);
    match known {
        Some(brand) => {
            row.method = Some(Word::of("card"));
            row.method_detail.card_brand = Some(brand.to_owned());
            row.method_detail.wallet = wallet.and_then(label);
        }
        None if told.starts_with("wechatpay") => row.method = Some(Word::of("wechat_pay")),
        None if told.starts_with("alipay") => row.method = Some(Word::of("alipay")),
        None => row.method = slug(told),
    }
    row
}

/// What Adyen calls the cards, and what others call them.
const CARD_BRANDS: [(&str, &str); 11] = [
    ("visa", "visa"),
    ("mc", "mastercard"),
    ("amex", "amex"),
    ("cup", "unionpay"),
    ("jcb", "jcb"),
    ("diners", "diners"),
    ("discover", "discover"),
    ("maestro", "maestro"),
    ("bcmc", "bancontact"),
    ("cartebancaire", "cartes_bancaires"),
    ("electron", "visa"),
];
