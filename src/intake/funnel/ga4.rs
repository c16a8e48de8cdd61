//! Google Analytics 4, measurement protocol: `{client_id, user_id, timestamp_micros, events: [{name, params}]}`.
//!
//! `value` is what the basket is worth without tax and shipping. A session's number is the second it began in, so it
//! means something together with its client only.

use std::borrow::Cow;
use std::str::FromStr;

use chrono::DateTime;

use super::Sorted;
use super::fields::Fields;
use super::told::{ItemNames, LINES_MAX, Names, Shopper, Told, basket, session, step_of, store_of, visitor};
use crate::domain::{CheckoutEvent, Instant};
use crate::intake::api::{Code, Fault, Judge, RowContext};

/// Events of one payload; Google itself takes 25.
const EVENTS_MAX: usize = 100;
const ITEMS: ItemNames = ItemNames { sku: &["item_id"], name: "item_name", category: "item_category" };

/// Reads one payload.
pub(super) fn read(
    json: &str,
    judge: &Judge<'_>,
    context: &RowContext<'_>,
    sorted: &mut Sorted,
) -> Result<(), Fault> {
    let payload = Fields::read(json, String::new())?;
    let envelope = Envelope::of(&payload, context)?;
    let Some(events) = payload.objects("events", EVENTS_MAX)? else {
        return Err(payload.fault("events", Code::Missing, "is required"));
    };
    for event in events {
        sorted.add(read_event(&event, &envelope, judge, context));
    }
    Ok(())
}

/// What holds for every event of a payload.
struct Envelope {
    visitor: Option<String>,
    time: Option<Instant>,
    device: Option<String>,
}

impl Envelope {
    fn of(payload: &Fields<'_>, context: &RowContext<'_>) -> Result<Self, Fault> {
        // The device's id first: somebody who signs in on the way is still the same visitor.
        let named = payload.first_text(&["client_id", "app_instance_id", "user_id"])?;
        let visitor = named.map(|(name, raw)| visitor(context, &payload.place(name), &raw)).transpose()?;
        let device = payload.object("device")?.text("category")?.map(Cow::into_owned);
        Ok(Self { visitor, time: micros(payload)?, device })
    }
}

/// `None` for a name that is no step of checkout.
fn read_event(
    event: &Fields<'_>,
    envelope: &Envelope,
    judge: &Judge<'_>,
    context: &RowContext<'_>,
) -> Result<Option<CheckoutEvent>, Fault> {
    let Some(name) = event.text("name")? else {
        return Err(event.fault("name", Code::Missing, "is required"));
    };
    let Some(step) = step_of(&name, &[]) else { return Ok(None) };
    let params = event.object("params")?;
    params.check_card_numbers()?;
    let named = params.text("store")?.map(|slug| (params.place("store"), slug));
    let hints: Vec<_> = params.text("affiliation")?.into_iter().collect();
    let store = store_of(context, named, &hints)?;
    let time = micros(event)?.or(envelope.time);
    let number = params.first_text(&["session_id", "ga_session_id"])?.map(|(_, number)| number);
    let visitor = envelope.visitor.as_deref();
    let session = session(context, store, visitor, number.as_deref(), time.unwrap_or(context.now))
        .ok_or_else(|| Fault::new("client_id", Code::Missing, "is required where no session_id is given"))?;
    let mut told = Told::new(step, store, Shopper { session, visitor: envelope.visitor.clone() });
    told.time = time;
    told.order = params.first_text(&["transaction_id", "order_id"])?.map(|(_, id)| id);
    told.currency = params.text("currency")?;
    told.value = params.decimal("value")?;
    told.method = params.text("payment_type")?;
    told.promotion = params.text("coupon")?;
    told.source = params.text("source")?;
    told.campaign = params.text("campaign")?;
    told.device = envelope.device.clone().map(Cow::Owned);
    told.items = basket(params.objects("items", LINES_MAX)?, &ITEMS)?;
    told.attributes.extend(params.text("shipping_tier")?.map(|tier| ("shipping_tier", tier)));
    let place = |name: &str| params.place(name);
    let fields = [
        ("order_id", place("transaction_id")),
        ("currency", place("currency")),
        ("value", place("value")),
        ("method", place("payment_type")),
        ("promotion", place("coupon")),
        ("source", place("source")),
        ("campaign", place("campaign")),
        ("device", "device.category".to_owned()),
        ("items", place("items")),
        ("attributes", place("payment_type")),
        ("time", "timestamp_micros".to_owned()),
    ];
    told.judged(judge, context.now, &Names { fields: &fields, items: &ITEMS }).map(Some)
}

/// A time in microseconds, as a number or as text.
fn micros(of: &Fields<'_>) -> Result<Option<Instant>, Fault> {
    const NAME: &str = "timestamp_micros";
    let Some(text) = of.text(NAME)? else { return Ok(None) };
    let at = i64::from_str(text.trim()).ok().and_then(DateTime::from_timestamp_micros);
    match at {
        Some(at) => Ok(Some(at)),
        None => Err(of.fault(NAME, Code::InvalidTime, "must be microseconds since 1970, a whole number")),
    }
}
