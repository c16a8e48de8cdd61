//! CloudEvents 1.0: an envelope whose `type` ends in the step and whose `data` says the rest, in GA4's words or ours
//! (`value` in major units). `source` and `id` are an id together.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;

use super::Sorted;
use super::fields::Fields;
use super::told::{
    ItemNames, LINES_MAX, Names, Shopper, Told, basket, id_of, session, step_of, store_of, visitor,
};
use crate::domain::CheckoutEvent;
use crate::intake::api::{Code, Fault, Judge, RowContext, read_instant};

/// The one version there is.
const VERSION: &str = "1.0";
const ITEMS: ItemNames = ItemNames { sku: &["item_id", "sku"], name: "item_name", category: "item_category" };

/// An event in binary mode: its attributes came as headers, its data as the body.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Attributes {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub specversion: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
}

#[derive(Serialize)]
struct Whole<'a> {
    #[serde(flatten)]
    attributes: &'a Attributes,
    data: &'a RawValue,
}

impl Attributes {
    /// The same event in structured mode; `None` when the data are no JSON.
    pub fn around(&self, data: &[u8]) -> Option<Vec<u8>> {
        let data = std::str::from_utf8(data).ok()?.trim();
        let data: &RawValue = serde_json::from_str(if data.is_empty() { "null" } else { data }).ok()?;
        serde_json::to_vec(&Whole { attributes: self, data }).ok()
    }
}

/// Reads one event.
pub(super) fn read(
    json: &str,
    judge: &Judge<'_>,
    context: &RowContext<'_>,
    sorted: &mut Sorted,
) -> Result<(), Fault> {
    let event = Fields::read(json, String::new())?;
    sorted.add(read_event(&event, judge, context));
    Ok(())
}

/// `None` for a type that is no step of checkout.
fn read_event(
    event: &Fields<'_>,
    judge: &Judge<'_>,
    context: &RowContext<'_>,
) -> Result<Option<CheckoutEvent>, Fault> {
    let envelope = Envelope::of(event)?;
    let Some(step) = step_of(last_word(&envelope.kind), &[]) else { return Ok(None) };
    let data = event.object("data")?;
    data.check_card_numbers()?;
    let named = data.text("store")?.map(|slug| (data.place("store"), slug));
    let hints: Vec<Cow<'_, str>> = envelope.source.split(['/', ':']).rev().map(Cow::Borrowed).collect();
    let store = store_of(context, named, &hints)?;
    let time = match event.text("time")? {
        None => None,
        Some(text) => Some(read_instant(text.trim()).ok_or_else(|| {
            let message = "must be RFC 3339 with an offset, as in 2026-11-24T10:00:00+08:00";
            event.fault("time", Code::InvalidTime, message)
        })?),
    };
    let person = data.first_text(&["visitor", "client_id", "anonymous_id", "user_id"])?;
    let visitor = person.map(|(name, raw)| visitor(context, &data.place(name), &raw)).transpose()?;
    let session = match data.text("session_id")? {
        // Whoever makes an envelope of their own numbers sessions as in our own API.
        Some(own) => own.into_owned(),
        None => session(context, store, visitor.as_deref(), None, time.unwrap_or(context.now))
            .ok_or_else(|| data.fault("session_id", Code::Missing, "is required"))?,
    };
    let mut told = Told::new(step, store, Shopper { session, visitor });
    told.id = Some(Cow::Owned(id_of(&[&envelope.source, &envelope.id])));
    told.time = time;
    tell(&mut told, &data)?;
    told.order = told.order.take().or(envelope.subject);
    let fields = names(&data);
    told.judged(judge, context.now, &Names { fields: &fields, items: &ITEMS }).map(Some)
}

struct Envelope<'a> {
    source: Cow<'a, str>,
    id: Cow<'a, str>,
    kind: Cow<'a, str>,
    /// What the event is about: the order. A mail address is not taken for one.
    subject: Option<Cow<'a, str>>,
}

impl<'a> Envelope<'a> {
    fn of(event: &Fields<'a>) -> Result<Self, Fault> {
        let required = |name: &str| {
            event
                .text(name)?
                .ok_or_else(|| event.fault(name, Code::Missing, "is required by CloudEvents 1.0"))
        };
        if required("specversion")? != VERSION {
            return Err(event.fault("specversion", Code::UnknownValue, "must be \"1.0\""));
        }
        if event.raw("data_base64")?.is_some() {
            let message = "is not taken: send `data` as a JSON object";
            return Err(event.fault("data_base64", Code::WrongType, message));
        }
        let subject = event.text("subject")?.filter(|subject| !subject.contains('@'));
        Ok(Self { source: required("source")?, id: required("id")?, kind: required("type")?, subject })
    }
}

/// `begin_checkout` of `com.example.checkout.begin_checkout`, with or without `.v1` behind.
fn last_word(kind: &str) -> &str {
    let is_version = |word: &str| {
        word.strip_prefix('v').is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let mut words = kind.rsplit(['.', '/', ':']);
    let last = words.next().unwrap_or_default();
    if is_version(last) { words.next().unwrap_or_default() } else { last }
}

fn tell<'a>(told: &mut Told<'a>, data: &Fields<'a>) -> Result<(), Fault> {
    let first = |names: &[&'static str]| Ok::<_, Fault>(data.first_text(names)?.map(|(_, text)| text));
    told.order = first(&["order_id", "transaction_id"])?;
    told.currency = data.text("currency")?;
    told.value = data.decimal("value")?;
    told.method = first(&["method", "payment_type"])?;
    told.promotion = first(&["promotion", "coupon"])?;
    told.source = data.text("source")?;
    told.campaign = data.text("campaign")?;
    told.device = data.text("device")?;
    told.dwell_ms = data.integer("dwell_ms")?;
    told.autofilled = data.flag("autofilled")?;
    told.field_error = data.text("field_error")?;
    told.items = basket(data.objects("items", LINES_MAX)?, &ITEMS)?;
    Ok(())
}

fn names(data: &Fields<'_>) -> [(&'static str, String); 13] {
    let place = |name: &'static str| (name, data.place(name));
    [
        place("session_id"),
        place("order_id"),
        place("currency"),
        place("value"),
        place("method"),
        place("promotion"),
        place("source"),
        place("campaign"),
        place("device"),
        place("dwell_ms"),
        place("field_error"),
        place("items"),
        ("attributes", data.place("method")),
    ]
}
