//! Segment, e-commerce spec v2: `track` calls, one alone or a `batch` of any calls.
//!
//! `revenue` and `subtotal` are without tax and shipping, `total` is with both. There are no sessions: a visitor's
//! business day is one.

use std::borrow::Cow;

use super::Sorted;
use super::fields::Fields;
use super::told::{
    ItemNames, LINES_MAX, Names, Shopper, Told, basket, item, session, step_of, store_of, visitor,
};
use crate::domain::{CheckoutEvent, Instant, Step};
use crate::intake::api::{Code, Fault, Judge, RowContext, read_instant};
use rust_decimal::Decimal;

/// Calls of one batch; Segment itself bounds it by 500 kB.
const CALLS_MAX: usize = 2_500;
const ITEMS: ItemNames = ItemNames { sku: &["sku", "product_id"], name: "name", category: "category" };
/// Names of events; the words of our own steps are known too.
const NAMES: [(&str, Step); 8] = [
    ("Product Viewed", Step::ViewItem),
    ("Product Added", Step::AddToCart),
    ("Checkout Started", Step::BeginCheckout),
    ("Checkout Step Completed", Step::AddShippingInfo),
    ("Payment Info Entered", Step::AddPaymentInfo),
    ("Order Completed", Step::Purchase),
    ("Order Refunded", Step::Refund),
    ("Order Cancelled", Step::Cancel),
];

/// Reads one payload.
pub(super) fn read(
    json: &str,
    judge: &Judge<'_>,
    context: &RowContext<'_>,
    sorted: &mut Sorted,
) -> Result<(), Fault> {
    let payload = Fields::read(json, String::new())?;
    match payload.objects("batch", CALLS_MAX)? {
        None => sorted.add(read_call(&payload, None, judge, context)),
        Some(calls) => {
            for call in calls {
                sorted.add(read_call(&call, Some(&payload), judge, context));
            }
        }
    }
    Ok(())
}

/// `None` for a call that is no step of checkout. What a call does not say stands in the batch around it.
fn read_call(
    call: &Fields<'_>,
    batch: Option<&Fields<'_>>,
    judge: &Judge<'_>,
    context: &RowContext<'_>,
) -> Result<Option<CheckoutEvent>, Fault> {
    if call.text("type")?.is_some_and(|kind| kind != "track") {
        return Ok(None);
    }
    let Some(name) = call.text("event")? else {
        return Err(call.fault("event", Code::Missing, "is required"));
    };
    let Some(step) = step_of(&name, &NAMES) else { return Ok(None) };
    let properties = call.object("properties")?;
    properties.check_card_numbers()?;
    let named = properties.text("store")?.map(|slug| (properties.place("store"), slug));
    let hints: Vec<_> = properties.text("affiliation")?.into_iter().collect();
    let store = store_of(context, named, &hints)?;
    let time = time(call, batch)?;
    let person = call.first_text(&["anonymousId", "userId"])?;
    let visitor = person.map(|(name, raw)| visitor(context, &call.place(name), &raw)).transpose()?;
    let own = properties.text("session_id")?;
    let at = time.unwrap_or(context.now);
    let session = session(context, store, visitor.as_deref(), own.as_deref(), at)
        .ok_or_else(|| call.fault("anonymousId", Code::Missing, "is required, or userId"))?;
    let mut told = Told::new(step, store, Shopper { session, visitor });
    told.id = call.text("messageId")?;
    told.time = time;
    told.order = properties.text("order_id")?;
    told.currency = properties.text("currency")?;
    told.value = value(&properties)?;
    told.method = properties.text("payment_method")?;
    told.promotion = properties.text("coupon")?;
    tell_context(&mut told, call, batch)?;
    told.items = match properties.objects("products", LINES_MAX)? {
        Some(products) => basket(Some(products), &ITEMS)?,
        None => item(&properties, &ITEMS)?.into_iter().collect(),
    };
    let shipping = properties.text("shipping_method")?;
    told.attributes.extend(shipping.map(|method| ("shipping_tier", method)));
    let fields = names(call, &properties);
    told.judged(judge, context.now, &Names { fields: &fields, items: &ITEMS }).map(Some)
}

fn names(call: &Fields<'_>, properties: &Fields<'_>) -> [(&'static str, String); 11] {
    [
        ("event_id", call.place("messageId")),
        ("time", call.place("timestamp")),
        ("order_id", properties.place("order_id")),
        ("currency", properties.place("currency")),
        ("value", properties.place("revenue")),
        ("method", properties.place("payment_method")),
        ("promotion", properties.place("coupon")),
        ("source", call.place("context.campaign.source")),
        ("campaign", call.place("context.campaign.name")),
        ("items", properties.place("products")),
        ("attributes", properties.place("payment_method")),
    ]
}

/// Without tax and shipping, as in the other shapes.
fn value(properties: &Fields<'_>) -> Result<Option<Decimal>, Fault> {
    for name in ["revenue", "subtotal", "value"] {
        if let Some(value) = properties.decimal(name)? {
            return Ok(Some(value));
        }
    }
    let Some(mut total) = properties.decimal("total")? else { return Ok(None) };
    for name in ["tax", "shipping"] {
        let Some(part) = properties.decimal(name)? else { continue };
        total = total.checked_sub(part).ok_or_else(|| {
            properties.fault("total", Code::OutOfRange, "is beyond what one event can be worth")
        })?;
    }
    Ok(Some(total))
}

fn tell_context<'a>(told: &mut Told<'a>, call: &Fields<'a>, batch: Option<&Fields<'a>>) -> Result<(), Fault> {
    for of in std::iter::once(call).chain(batch) {
        let context = of.object("context")?;
        let campaign = context.object("campaign")?;
        told.source = told.source.take().or(campaign.text("source")?);
        told.campaign = told.campaign.take().or(campaign.text("name")?);
        told.device = told.device.take().or(context.object("device")?.text("type")?);
    }
    Ok(())
}

/// The first time that is told; those after the first are when the call was sent or received.
fn time(call: &Fields<'_>, batch: Option<&Fields<'_>>) -> Result<Option<Instant>, Fault> {
    const TIMES: [&str; 4] = ["timestamp", "originalTimestamp", "sentAt", "receivedAt"];
    for of in std::iter::once(call).chain(batch) {
        if let Some((name, text)) = of.first_text(&TIMES)? {
            let at: Cow<'_, str> = text;
            let message = "must be RFC 3339 with an offset, as in 2026-11-24T10:00:00+08:00";
            return read_instant(at.trim())
                .map(Some)
                .ok_or_else(|| of.fault(name, Code::InvalidTime, message));
        }
    }
    Ok(None)
}
