//! WeChat Pay, API v3: RSA over the raw bytes, and what matters sealed in the body.
//!
//! A payment is told of once it is paid, and by one notice: its row is that notice, its version the moment of payment.
//! A refund may be told of several times (abnormal, then succeeded by hand): each is a fact, the row is made of all.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::delivery::Notice;
use super::derive::{Derived, version};
use super::fields::{Fields, parse};
use super::keys::{Key, Keys, SecretKind, from_base64, is_signed_by};
use super::reading::{
    EndpointContext, Fault, FaultCode, Reading, Said, currency, failed_with, id, label, money, transaction,
};
use super::unverified::Unverified;
use crate::domain::{Currency, Instant, Kind, Scene, Status, Transaction, Word, instant_from_ms};

const PROVIDER: &str = "wechat_pay";
/// The only way of signing that there is; another is refused rather than guessed at.
const SIGNATURE_TYPE: &str = "WECHATPAY2-SHA256-RSA2048";
const ALGORITHM: &str = "AEAD_AES_256_GCM";

/// A notice that WeChat Pay signed, and what was sealed in it.
#[derive(Debug)]
pub(super) struct Proved {
    envelope: Value,
    resource: Value,
    pub used: Vec<String>,
}

/// Proves a notice, opens it, and asks whose it is.
pub(super) fn prove(
    notice: &Notice<'_>,
    keys: &Keys,
    context: &EndpointContext<'_>,
) -> Result<Proved, Unverified> {
    let signer = signer(notice, keys)?;
    let envelope = parse(notice.body).map_err(|_| Unverified::Malformed)?;
    let (resource, opener) = opened(&envelope, keys)?;
    let merchants = ["mchid", "sp_mchid", "sub_mchid"].map(|name| resource.get(name).and_then(Value::as_str));
    if !merchants.into_iter().flatten().any(|merchant| merchant == context.account) {
        return Err(Unverified::OtherAccount);
    }
    let used = vec![signer.id.clone(), opener.id.clone()];
    Ok(Proved { envelope, resource, used })
}

/// The key that signed `timestamp\nnonce\nbody\n`.
fn signer<'k>(notice: &Notice<'_>, keys: &'k Keys) -> Result<&'k Key, Unverified> {
    let header = |name| notice.headers.get(name).ok_or(Unverified::SignatureMissing);
    let (timestamp, nonce) = (header("wechatpay-timestamp")?, header("wechatpay-nonce")?);
    let (serial, signature) = (header("wechatpay-serial")?, header("wechatpay-signature")?);
    let kind = notice.headers.get("wechatpay-signature-type");
    if kind.is_some_and(|kind| kind != SIGNATURE_TYPE) {
        return Err(Unverified::SignatureKind);
    }
    let mut public = keys.of(SecretKind::PublicKey).peekable();
    if public.peek().is_none() {
        return Err(Unverified::NoKey);
    }
    let key = public.find(|key| is_same_serial(&key.name, serial)).ok_or(Unverified::KeyUnknown)?;
    // A probe (`WECHATPAY/SIGNTEST/…`) is no base64 of a right signature and ends here, as it should.
    let signature = from_base64(signature).ok_or(Unverified::SignatureWrong)?;
    let mut message = Vec::with_capacity(timestamp.len() + nonce.len() + notice.body.len() + 3);
    for part in [timestamp.as_bytes(), nonce.as_bytes(), notice.body] {
        message.extend_from_slice(part);
        message.push(b'\n');
    }
    if !is_signed_by(key, &message, &signature) {
        return Err(Unverified::SignatureWrong);
    }
    let signed_at = timestamp.parse::<i64>().ok().and_then(|seconds| seconds.checked_mul(1000));
    match signed_at.map(instant_from_ms) {
        Some(at) if notice.is_in_window(at) => Ok(key),
        _ => Err(Unverified::ClockOff),
    }
}

/// Serials of certificates are numbers in hex; ids of public keys are texts.
fn is_same_serial(name: &str, serial: &str) -> bool {
    let number = |text: &str| text.trim_start_matches('0').to_ascii_uppercase();
    name == serial || (!name.starts_with("PUB_KEY_ID_") && !name.is_empty() && number(name) == number(serial))
}

/// What is sealed in the body, and the APIv3 key that opened it.
fn opened<'k>(envelope: &Value, keys: &'k Keys) -> Result<(Value, &'k Key), Unverified> {
    let text = |name: &str| envelope.pointer(&format!("/resource/{name}")).and_then(Value::as_str);
    if text("algorithm") != Some(ALGORITHM) {
        return Err(Unverified::Malformed);
    }
    let sealed = text("ciphertext").and_then(from_base64).ok_or(Unverified::Malformed)?;
    let nonce = text("nonce").ok_or(Unverified::Malformed)?;
    let associated = text("associated_data").unwrap_or_default();
    let mut openers = keys.of(SecretKind::ApiV3Key).peekable();
    if openers.peek().is_none() {
        return Err(Unverified::NoKey);
    }
    openers
        .find_map(|key| {
            let plain = open(key.secret.reveal(), nonce, associated, &sealed)?;
            Some((serde_json::from_slice(&plain).ok()?, key))
        })
        .ok_or(Unverified::NotOpened)
}

/// AES-256-GCM; the last 16 bytes are the tag.
pub(super) fn open(key: &[u8], nonce: &str, associated: &str, sealed: &[u8]) -> Option<Vec<u8>> {
    let cipher = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).ok()?);
    let nonce = Nonce::try_assume_unique_for_key(nonce.as_bytes()).ok()?;
    let mut bytes = sealed.to_vec();
    let opened = cipher.open_in_place(nonce, Aad::from(associated.as_bytes()), &mut bytes).ok()?.len();
    bytes.truncate(opened);
    Some(bytes)
}

impl Proved {
    /// What it says.
    pub(super) fn read(&self, context: &EndpointContext<'_>) -> Reading {
        let mut reading = Reading::default();
        let event = self.envelope.get("event_type").and_then(Value::as_str).unwrap_or_default();
        let said = Fields::of("resource", &self.resource).and_then(|fields| {
            let envelope = Fields::of("", &self.envelope)?;
            let told_at = envelope.moment("create_time", context)?;
            let original = self.envelope.pointer("/resource/original_type").and_then(Value::as_str);
            let said = match original.unwrap_or_default() {
                "transaction" => Said::transaction(payment(&fields, told_at, context)?),
                "refund" => refund(&fields, told_at, context),
                _ => Ok(Said::Nothing),
            };
            reading.unread_fields = fields.unread();
            said
        });
        reading.add(event, said);
        reading
    }
}

fn payment(
    fields: &Fields<'_>,
    told_at: Option<Instant>,
    context: &EndpointContext<'_>,
) -> Result<Transaction, Fault> {
    let amount = fields.needed_object("amount")?;
    let unit = currency("currency", amount.text("currency").unwrap_or("CNY"))?;
    let total = money("total", amount.needed_integer("total")?, unit)?;
    let status = payment_status(fields.needed_text("trade_state")?)?;
    let paid_at = fields.moment("success_time", context)?;
    let created_at = paid_at.or(told_at).ok_or_else(|| Fault::new("success_time", FaultCode::Missing))?;
    let order = fields.id("out_trade_no")?;
    let number = fields.optional_id("transaction_id")?;
    let own = number.clone().unwrap_or_else(|| order.clone());
    let mut row = transaction(context, Kind::Payment, own, created_at, status, total);
    row.provider = Some(Word::of(PROVIDER));
    row.method = Some(Word::of(PROVIDER));
    row.order_id = Some(order);
    row.provider_transaction_id = number;
    row.completed_at = (status == Status::Succeeded).then_some(paid_at).flatten();
    row.updated_at = Some(created_at);
    row.list_amount = Some(total.minor());
    row.discount_merchant = discount(fields)?;
    row.scene = fields.text("trade_type").and_then(scene);
    row.method_detail.bank = fields.text("bank_type").and_then(label);
    row.customer = customer(fields, context)?;
    if let Some(scene) = fields.object("scene_info")? {
        row.terminal = scene.text("device_id").and_then(label);
    }
    if status == Status::Failed {
        failed_with(&mut row, fields.text("trade_state"), fields.text("trade_state_desc"));
    }
    Ok(row)
}

fn payment_status(state: &str) -> Result<Status, Fault> {
    Ok(match state {
        // A refund later on does not undo that it was paid; refunds are rows of their own.
        "SUCCESS" | "REFUND" => Status::Succeeded,
        "NOTPAY" => Status::Created,
        "USERPAYING" | "ACCEPT" => Status::Pending,
        "CLOSED" => Status::Expired,
        "REVOKED" => Status::Cancelled,
        "PAYERROR" => Status::Failed,
        _ => return Err(Fault::new("trade_state", FaultCode::UnknownStatus)),
    })
}

/// Coupons that the shop itself pays for: it is settled so much less.
fn discount(fields: &Fields<'_>) -> Result<Option<i64>, Fault> {
    let mut sum = None;
    for value in fields.list("promotion_detail") {
        let coupon = Fields::of("promotion_detail", value)?;
        if coupon.text("type") == Some("NOCASH") {
            let amount = coupon.needed_integer("amount")?;
            sum = Some(sum.unwrap_or(0_i64).saturating_add(amount.max(0)));
        }
    }
    Ok(sum)
}

/// An openid is one person's within one app; of a service provider's it is `sp_openid` or `sub_openid`.
fn customer(fields: &Fields<'_>, context: &EndpointContext<'_>) -> Result<Option<String>, Fault> {
    let Some(payer) = fields.object("payer")? else { return Ok(None) };
    let openid = ["openid", "sub_openid", "sp_openid"].into_iter().find_map(|name| payer.text(name));
    Ok(openid.map(|openid| context.pseudonyms.of("customer", PROVIDER, openid)))
}

fn scene(trade_type: &str) -> Option<Scene> {
    match trade_type {
        "MICROPAY" => Some(Scene::Scanner),
        "FACEPAY" | "FACE" => Some(Scene::Face),
        "APP" => Some(Scene::App),
        "MWEB" | "H5" => Some(Scene::H5),
        "NATIVE" => Some(Scene::Web),
        // JSAPI is a mini program, an official account or a plate: the notice does not say which.
        _ => None,
    }
}

/// What one notice says of a refund.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct RefundFact {
    refund: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    payment: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order: Option<String>,
    amount: i64,
    status: String,
    at_ms: i64,
    succeeded: bool,
}

fn refund(
    fields: &Fields<'_>,
    told_at: Option<Instant>,
    context: &EndpointContext<'_>,
) -> Result<Said, Fault> {
    let amount = fields.needed_object("amount")?;
    let refund = fields.id("refund_id")?;
    // Notices say `refund_status`, the API's answers `status`.
    let status = fields.text("refund_status").or_else(|| fields.text("status"));
    let status = status.ok_or_else(|| Fault::new("refund_status", FaultCode::Missing))?;
    refund_status(status)?;
    let succeeded_at = fields.moment("success_time", context)?;
    let at = succeeded_at.or(told_at).ok_or_else(|| Fault::new("success_time", FaultCode::Missing))?;
    // Where the money went (`user_received_account`: bank and last digits) is not looked at.
    fields.value("user_received_account");
    let fact = RefundFact {
        payment: fields.optional_id("transaction_id")?,
        order: fields.optional_id("out_trade_no")?,
        amount: money("refund", amount.needed_integer("refund")?, Currency::CNY)?.minor(),
        status: status.to_owned(),
        at_ms: at.timestamp_millis(),
        succeeded: succeeded_at.is_some(),
        refund: refund.clone(),
    };
    id("out_refund_no", fields.text("out_refund_no").unwrap_or("-"))?;
    Said::fact(format!("refund/{refund}"), status.to_owned(), &fact, None)
}

fn refund_status(status: &str) -> Result<Status, Fault> {
    Ok(match status {
        "SUCCESS" => Status::Succeeded,
        "PROCESSING" => Status::Pending,
        // ABNORMAL: the shopper's bank did not take it, and it waits for the shop.
        "ABNORMAL" => Status::Failed,
        "CLOSED" => Status::Cancelled,
        _ => return Err(Fault::new("refund_status", FaultCode::UnknownStatus)),
    })
}

/// The row of a refund: success is final, else what was told last.
pub(super) fn derive(facts: &[RefundFact], context: &EndpointContext<'_>) -> Result<Vec<Derived>, Fault> {
    let rank = |fact: &&RefundFact| (fact.succeeded, fact.at_ms, fact.status.clone());
    let Some(last) = facts.iter().max_by_key(rank) else { return Ok(Vec::new()) };
    let times = || facts.iter().map(|fact| fact.at_ms);
    let created_at = instant_from_ms(times().min().unwrap_or(last.at_ms));
    let status = refund_status(&last.status)?;
    let amount = money("refund", last.amount, Currency::CNY)?;
    let mut row = transaction(context, Kind::Refund, last.refund.clone(), created_at, status, amount);
    row.provider = Some(Word::of(PROVIDER));
    row.method = Some(Word::of(PROVIDER));
    row.order_id.clone_from(&last.order);
    row.provider_transaction_id = Some(last.refund.clone());
    row.parent_transaction_id.clone_from(&last.payment);
    row.completed_at = status.is_terminal().then(|| instant_from_ms(last.at_ms));
    row.updated_at = Some(version(times().max().unwrap_or(last.at_ms), facts.len()));
    if status == Status::Failed {
        failed_with(&mut row, Some(&last.status), None);
    }
    Ok(vec![Derived::new(row)])
}
