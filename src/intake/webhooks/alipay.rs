//! Alipay: a form whose fields are signed by name (RSA2).
//!
//! `refund_fee` is the *sum* of all refunds of the trade so far. What one refund gave back is therefore a difference, and
//! it depends on which refunds are known. The rule: every refund that was told of is kept as a fact with its sum; sorted
//! by that sum, a refund's amount is its sum less the sum before it. A notice that comes late takes its part out of the
//! next one's amount, which is made anew with a higher version (`derive`); told of in any order, twice or in halves, the
//! rows end the same. A refund is known by `out_biz_no`; where there is none, Alipay takes the order's number for it.

use std::collections::BTreeMap;

use chrono::{FixedOffset, NaiveDateTime, TimeZone};
use encoding_rs::{Encoding, GB18030, GBK, UTF_8};
use percent_encoding::percent_decode;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::delivery::Notice;
use super::derive::{Derived, version};
use super::keys::{Keys, SecretKind, from_base64, is_signed_by};
use super::reading::{
    EndpointContext, Fault, FaultCode, Reading, Said, id, label, money, plausible, transaction,
};
use super::unverified::Unverified;
use crate::domain::{Currency, Instant, Kind, Status, Transaction, Word, decimal_to_minor, instant_from_ms};

const PROVIDER: &str = "alipay";
/// Fields of a form; Alipay sends some forty.
const FIELDS_MAX: usize = 200;
/// What is not signed with the others. `sign_type` counts among them in notices, unlike in requests.
const UNSIGNED: [&[u8]; 3] = [b"sign", b"sign_type", b"alipay_cert_sn"];
const BEIJING_SECONDS: i32 = 8 * 3600;

/// Names and values of a form, decoded to the bytes that were signed.
type Form = BTreeMap<Vec<u8>, Vec<u8>>;

/// A notice that Alipay signed for this app and seller.
#[derive(Debug)]
pub(super) struct Proved {
    fields: BTreeMap<String, String>,
    pub used: Vec<String>,
}

/// Proves a notice and asks whose it is.
pub(super) fn prove(
    notice: &Notice<'_>,
    keys: &Keys,
    context: &EndpointContext<'_>,
) -> Result<Proved, Unverified> {
    let form = read_form(notice.body).ok_or(Unverified::Malformed)?;
    let signature = form.get(&b"sign"[..]).ok_or(Unverified::SignatureMissing)?;
    if form.get(&b"sign_type"[..]).is_some_and(|kind| kind != b"RSA2") {
        return Err(Unverified::SignatureKind);
    }
    let signature = std::str::from_utf8(signature).ok().and_then(from_base64);
    let signature = signature.ok_or(Unverified::SignatureWrong)?;
    let message = signed_text(&form);
    let mut public = keys.of(SecretKind::PublicKey).peekable();
    if public.peek().is_none() {
        return Err(Unverified::NoKey);
    }
    let key = public.find(|key| is_signed_by(key, &message, &signature)).ok_or(Unverified::SignatureWrong)?;
    let fields = decode(&form).ok_or(Unverified::Malformed)?;
    let is = |name: &str, wanted: &str| fields.get(name).is_some_and(|value| value == wanted);
    let is_app = context.app_id.is_empty() || is("app_id", context.app_id);
    if !is_app || !is("seller_id", context.account) {
        return Err(Unverified::OtherAccount);
    }
    Ok(Proved { fields, used: vec![key.id.clone()] })
}

/// The form, or none where it is none: a name twice, too many, or no such encoding.
fn read_form(body: &[u8]) -> Option<Form> {
    let mut form = Form::new();
    for pair in body.trim_ascii().split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
        let at = pair.iter().position(|byte| *byte == b'=')?;
        let (name, value) = pair.split_at(at);
        if form.len() == FIELDS_MAX || form.insert(plain(name), plain(value.get(1..)?)).is_some() {
            return None;
        }
    }
    (!form.is_empty()).then_some(form)
}

/// Percent signs and `+` undone, to bytes: which charset they are in is not asked before they are proved.
fn plain(part: &[u8]) -> Vec<u8> {
    let spaces: Vec<u8> = part.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    percent_decode(&spaces).collect()
}

/// `name=value` of every field that is signed and not empty, sorted by name, joined by `&`.
fn signed_text(form: &Form) -> Vec<u8> {
    let signed =
        form.iter().filter(|(name, value)| !UNSIGNED.contains(&name.as_slice()) && !value.is_empty());
    let pairs: Vec<Vec<u8>> = signed.map(|(name, value)| [name.as_slice(), b"=", value].concat()).collect();
    pairs.join(&b"&"[..])
}

/// The form as text, in the charset that it names itself.
fn decode(form: &Form) -> Option<BTreeMap<String, String>> {
    let encoding: &Encoding = match form.get(&b"charset"[..]).map(|name| name.to_ascii_lowercase()).as_deref()
    {
        None | Some(b"utf-8" | b"utf8" | b"") => UTF_8,
        Some(b"gbk" | b"gb2312") => GBK,
        Some(b"gb18030") => GB18030,
        Some(_) => return None,
    };
    let text = |bytes: &[u8]| {
        encoding.decode_without_bom_handling_and_without_replacement(bytes).map(std::borrow::Cow::into_owned)
    };
    form.iter().map(|(name, value)| Some((text(name)?, text(value)?))).collect()
}

/// What one notice says of a trade.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct TradeFact {
    trade: String,
    order: String,
    total: i64,
    created_ms: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    paid_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    closed_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refund: Option<RefundTold>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fund_channel: Option<String>,
}

/// A refund as it is told of.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct RefundTold {
    key: String,
    /// False where the key is the order's number for want of one of its own.
    named: bool,
    /// All refunds of the trade so far.
    sum: i64,
    at_ms: i64,
}

impl Proved {
    /// What it says.
    pub(super) fn read(&self, context: &EndpointContext<'_>) -> Reading {
        let mut reading = Reading::default();
        let kind = self.text("notify_type");
        let said = if kind == Some("trade_status_sync") { self.trade(context) } else { Ok(Said::Nothing) };
        reading.unread_fields = self.fields.keys().filter(|name| !READ.contains(&name.as_str())).count();
        reading.add(kind.unwrap_or_default(), said);
        reading
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str).filter(|text| !text.is_empty())
    }

    fn trade(&self, context: &EndpointContext<'_>) -> Result<Said, Fault> {
        let needed = |name: &'static str| self.text(name).ok_or_else(|| Fault::new(name, FaultCode::Missing));
        let status = needed("trade_status")?;
        if !["WAIT_BUYER_PAY", "TRADE_SUCCESS", "TRADE_FINISHED", "TRADE_CLOSED"].contains(&status) {
            return Err(Fault::new("trade_status", FaultCode::UnknownStatus));
        }
        let trade = id("trade_no", needed("trade_no")?)?;
        let order = id("out_trade_no", needed("out_trade_no")?)?;
        let told = self.time("notify_time", context)?;
        let created = self.time("gmt_create", context)?;
        let paid = self.time("gmt_payment", context)?;
        let created =
            created.or(paid).or(told).ok_or_else(|| Fault::new("gmt_create", FaultCode::Missing))?;
        let refund = self.refund(&order, context)?;
        // Finished and succeeded both mean paid, also where the moment is not said.
        let paid = paid.or(matches!(status, "TRADE_SUCCESS" | "TRADE_FINISHED").then_some(created));
        let closed = self.time("gmt_close", context)?.or(told).unwrap_or(created);
        let fact = TradeFact {
            total: money("total_amount", yuan("total_amount", needed("total_amount")?)?, Currency::CNY)?
                .minor(),
            created_ms: created.timestamp_millis(),
            paid_ms: paid.map(|at| at.timestamp_millis()),
            closed_ms: (status == "TRADE_CLOSED").then(|| closed.timestamp_millis()),
            fund_channel: self.text("fund_bill_list").and_then(fund_channel),
            trade: trade.clone(),
            order,
            refund,
        };
        let key = fact
            .refund
            .as_ref()
            .map_or_else(|| status.to_owned(), |refund| format!("{status} {} {}", refund.key, refund.sum));
        let buyer = self.text("buyer_open_id").or_else(|| self.text("buyer_id"));
        let customer = buyer.map(|buyer| context.pseudonyms.of("customer", PROVIDER, buyer));
        Said::fact(format!("trade/{trade}"), key, &fact, customer)
    }

    /// A notice tells of a refund when it says what was given back and when; a closed trade without that was never paid.
    fn refund(&self, order: &str, context: &EndpointContext<'_>) -> Result<Option<RefundTold>, Fault> {
        let Some(sum) = self.text("refund_fee") else { return Ok(None) };
        let sum = money("refund_fee", yuan("refund_fee", sum)?, Currency::CNY)?.minor();
        let Some(at) = self.time("gmt_refund", context)?.filter(|_| sum > 0) else { return Ok(None) };
        let named = self.text("out_biz_no");
        let key = id("out_biz_no", named.unwrap_or(order))?;
        Ok(Some(RefundTold { key, named: named.is_some(), sum, at_ms: at.timestamp_millis() }))
    }

    /// A Beijing wall-clock time, with milliseconds or without.
    fn time(&self, name: &'static str, context: &EndpointContext<'_>) -> Result<Option<Instant>, Fault> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let not_a_time = || Fault::new(name, FaultCode::NotATime);
        let local = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f").map_err(|_| not_a_time())?;
        let zone = FixedOffset::east_opt(BEIJING_SECONDS).ok_or_else(not_a_time)?;
        let at = zone.from_local_datetime(&local).single().ok_or_else(not_a_time)?;
        plausible(name, instant_from_ms(at.timestamp_millis()), context).map(Some)
    }
}

/// The fields that are looked at; the shopper's login is among them so that it is known to be left out.
const READ: [&str; 21] = [
    "app_id",
    "auth_app_id",
    "buyer_id",
    "buyer_logon_id",
    "buyer_open_id",
    "charset",
    "fund_bill_list",
    "gmt_close",
    "gmt_create",
    "gmt_payment",
    "gmt_refund",
    "notify_time",
    "notify_type",
    "out_biz_no",
    "out_trade_no",
    "refund_fee",
    "seller_id",
    "sign",
    "sign_type",
    "total_amount",
    "trade_no",
];

/// Fen of an amount in yuan.
fn yuan(field: &'static str, text: &str) -> Result<i64, Fault> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') && text.len() <= 32;
    let decimal = text.parse::<Decimal>().ok().filter(|_| plain);
    let decimal = decimal.ok_or_else(|| Fault::new(field, FaultCode::NotAnAmount))?;
    decimal_to_minor(decimal, Currency::CNY).map_err(|_| Fault::new(field, FaultCode::OutOfRange))
}

/// The channel that most of the money came through.
fn fund_channel(list: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Part {
        amount: Decimal,
        #[serde(rename = "fundChannel")]
        channel: String,
    }
    let parts: Vec<Part> = serde_json::from_str(list).ok()?;
    let largest = parts.into_iter().max_by(|one, other| one.amount.cmp(&other.amount))?;
    label(&largest.channel.to_ascii_lowercase())
}

/// The rows of a trade: its payment, and each of its refunds.
pub(super) fn derive(
    facts: &[TradeFact],
    customer: Option<&str>,
    context: &EndpointContext<'_>,
) -> Result<Vec<Derived>, Fault> {
    let mut rows = Vec::new();
    // The payment's own notice says most of it.
    let Some(trade) =
        facts.iter().min_by_key(|fact| (fact.refund.is_some(), fact.paid_ms.is_none(), fact.total))
    else {
        return Ok(rows);
    };
    let updated_at = version(youngest(facts), facts.len());
    rows.push(Derived::new(payment(trade, facts, updated_at, customer, context)?));
    let mut before = 0;
    for refund in refunds(facts) {
        // The same sum under another name gave nothing back: it is the refund before it, told of once more.
        let amount = money("refund_fee", refund.sum - before, Currency::CNY)?;
        before = refund.sum;
        let status = if amount.minor() == 0 { Status::Cancelled } else { Status::Succeeded };
        let at = instant_from_ms(refund.at_ms);
        let own = id("out_biz_no", &format!("{}/{}", trade.trade, refund.key))?;
        let mut row = transaction(context, Kind::Refund, own, at, status, amount);
        head(&mut row, trade, customer);
        row.parent_transaction_id = Some(trade.trade.clone());
        row.completed_at = Some(at);
        row.updated_at = Some(updated_at);
        rows.push(Derived::new(row));
    }
    Ok(rows)
}

/// Each refund once, as it was told of first, by the sum after it.
fn refunds(facts: &[TradeFact]) -> Vec<&RefundTold> {
    let mut first: BTreeMap<&str, &RefundTold> = BTreeMap::new();
    for refund in facts.iter().filter_map(|fact| fact.refund.as_ref()) {
        let known = first.entry(&refund.key).or_insert(refund);
        if (refund.sum, refund.at_ms) < (known.sum, known.at_ms) {
            *known = refund;
        }
    }
    let mut refunds: Vec<&RefundTold> = first.into_values().collect();
    refunds.sort_by_key(|refund| (refund.sum, !refund.named, refund.at_ms));
    refunds
}

/// The last moment that anything is said of.
fn youngest(facts: &[TradeFact]) -> i64 {
    let of = |fact: &TradeFact| {
        let refunded = fact.refund.as_ref().map(|refund| refund.at_ms);
        fact.created_ms.max(fact.paid_ms.max(fact.closed_ms).max(refunded).unwrap_or(i64::MIN))
    };
    facts.iter().map(of).max().unwrap_or_default()
}

fn payment(
    trade: &TradeFact,
    facts: &[TradeFact],
    updated_at: Instant,
    customer: Option<&str>,
    context: &EndpointContext<'_>,
) -> Result<Transaction, Fault> {
    let earliest = |time: fn(&TradeFact) -> Option<i64>| facts.iter().filter_map(time).min();
    let created_ms = earliest(|fact| Some(fact.created_ms)).unwrap_or(trade.created_ms);
    let paid_ms = earliest(|fact| fact.paid_ms);
    let closed_ms = earliest(|fact| fact.closed_ms.filter(|_| fact.refund.is_none()));
    let (status, completed_ms) = match (paid_ms, closed_ms) {
        (Some(paid), _) => (Status::Succeeded, Some(paid)),
        // Not paid in time. With a refund it was paid before this endpoint was there to hear of it.
        (None, Some(closed)) => (Status::Expired, Some(closed)),
        (None, None) if facts.iter().any(|fact| fact.refund.is_some()) => (Status::Succeeded, None),
        (None, None) => (Status::Created, None),
    };
    let amount = money("total_amount", trade.total, Currency::CNY)?;
    let created_at = instant_from_ms(created_ms);
    let mut row = transaction(context, Kind::Payment, trade.trade.clone(), created_at, status, amount);
    head(&mut row, trade, customer);
    row.completed_at = completed_ms.map(instant_from_ms);
    row.list_amount = Some(trade.total);
    row.method_detail.wallet.clone_from(&trade.fund_channel);
    row.updated_at = Some(updated_at);
    Ok(row)
}

fn head(row: &mut Transaction, trade: &TradeFact, customer: Option<&str>) {
    row.provider = Some(Word::of(PROVIDER));
    row.method = Some(Word::of(PROVIDER));
    row.order_id = Some(trade.order.clone());
    row.provider_transaction_id = Some(trade.trade.clone());
    row.customer = customer.map(str::to_owned);
}
