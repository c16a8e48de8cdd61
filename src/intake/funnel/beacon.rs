//! What `static/beacon.js` sends from a shopper's browser: `{session, events: [{id, time, step, …}]}`. Anybody can send
//! it, so it is held to little: steps of checkout, no amounts, no reference to a person, a time close to its receipt.

use std::borrow::Cow;

use chrono::{DateTime, TimeDelta};

use super::fields::Fields;
use super::told::{ItemNames, Names, Shopper, Told, id_of};
use crate::domain::{CheckoutEvent, Step};
use crate::intake::api::{Code, Fault, Judge, RowContext};

/// Bytes of one body.
pub const BEACON_BYTES_MAX: usize = 16 << 10;
/// Events of one body: as many as the script sends of one page.
pub const BEACON_EVENTS_MAX: usize = 60;
/// Hours that an event may be older than its receipt; a browser's clock that is further off tells nothing.
pub const BEACON_HOURS_MAX: i64 = 24;
/// Minutes that it may be younger.
pub const BEACON_AHEAD_MINUTES_MAX: i64 = 10;
/// Characters of a field's name.
const FIELD_NAME_CHARS_MAX: usize = 64;
/// Baskets and amounts do not come from a browser.
const NO_ITEMS: ItemNames = ItemNames { sku: &[], name: "", category: "" };

/// Why an event or a body of a beacon was not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BeaconFault {
    /// Not what the script sends.
    Malformed,
    /// Its time is not near its receipt.
    Clock,
    /// Holds what looks like a card number.
    CardNumber,
}

/// The events of a body, in their order.
///
/// # Errors
/// [`BeaconFault`] when the body as a whole cannot be read.
pub fn read_beacon(
    body: &[u8],
    site: &str,
    context: &RowContext<'_>,
) -> Result<Vec<Result<CheckoutEvent, BeaconFault>>, BeaconFault> {
    let json = std::str::from_utf8(body).map_err(|_| BeaconFault::Malformed)?;
    let payload = Fields::read(json, String::new())?;
    let session = payload.text("session")?.ok_or(BeaconFault::Malformed)?;
    let events = payload.objects("events", BEACON_EVENTS_MAX)?;
    let events = events.ok_or(BeaconFault::Malformed)?;
    let judge = Judge::new(context, events.len());
    Ok(events.iter().map(|event| read_event(event, site, &session, &judge, context)).collect())
}

impl From<Fault> for BeaconFault {
    fn from(fault: Fault) -> Self {
        if fault.code == Code::PanSuspected { Self::CardNumber } else { Self::Malformed }
    }
}

fn read_event(
    event: &Fields<'_>,
    site: &str,
    session: &str,
    judge: &Judge<'_>,
    context: &RowContext<'_>,
) -> Result<CheckoutEvent, BeaconFault> {
    event.check_card_numbers()?;
    let time = event.integer("time")?.and_then(DateTime::from_timestamp_millis);
    let time = time.ok_or(BeaconFault::Malformed)?;
    let age = context.now - time;
    if age > TimeDelta::hours(BEACON_HOURS_MAX) || age < -TimeDelta::minutes(BEACON_AHEAD_MINUTES_MAX) {
        return Err(BeaconFault::Clock);
    }
    let told = tell(event, site, session, context)?;
    let told = Told { time: Some(time), ..told.ok_or(BeaconFault::Malformed)? };
    Ok(told.judged(judge, context.now, &Names { fields: &[], items: &NO_ITEMS })?)
}

/// `None` where something that the script always sends is missing.
fn tell<'a>(
    event: &Fields<'a>,
    site: &str,
    session: &str,
    context: &RowContext<'a>,
) -> Result<Option<Told<'a>>, Fault> {
    let step = event.text("step")?.and_then(|word| Step::parse(&word)).filter(|step| is_a_shoppers(*step));
    let (Some(step), Some(id), [store]) = (step, event.text("id")?, context.stores) else { return Ok(None) };
    let mut told = Told::new(step, store, Shopper { session: session.to_owned(), visitor: None });
    // No id of a page can be that of an event which the shop's own system sent.
    told.id = Some(Cow::Owned(id_of(&["beacon", site, session, &id])));
    told.order = event.text("order")?;
    told.method = event.text("method")?;
    told.dwell_ms = event.integer("dwell")?;
    told.autofilled = event.flag("auto")?;
    told.field_error = event.text("error")?.filter(|name| is_field_name(name));
    Ok(Some(told))
}

/// Refunds and cancellations are none of a shopper's browser.
const fn is_a_shoppers(step: Step) -> bool {
    !matches!(step, Step::Refund | Step::Cancel)
}

/// A name as fields have it, so that no value can come in its place.
fn is_field_name(text: &str) -> bool {
    text.len() <= FIELD_NAME_CHARS_MAX
        && text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "_-.:[]$".contains(c))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::tests::World;
    use super::*;
    use crate::domain::Word;

    fn read(body: &Value) -> Result<Vec<Result<CheckoutEvent, BeaconFault>>, BeaconFault> {
        let world = World::new();
        world.with(|context| read_beacon(body.to_string().as_bytes(), "site", context))
    }

    fn event(more: Value) -> Value {
        let mut event =
            json!({"id": "p1", "time": super::super::tests::NOW_MS - 5_000, "step": "begin_checkout"});
        if let (Some(event), Value::Object(more)) = (event.as_object_mut(), more) {
            event.extend(more);
        }
        json!({"session": "abc", "events": [event]})
    }

    #[test]
    fn what_the_script_sends_becomes_an_event() {
        let body = event(json!({"dwell": 4_200, "auto": true, "error": "cvc", "method": "WeChat Pay",
            "order": "o1", "value": 100, "currency": "CNY", "customer": "x@example.com"}));
        let event = read(&body).unwrap().remove(0).unwrap();
        assert_eq!(
            (event.step, event.dwell_ms, event.autofilled),
            (Step::BeginCheckout, Some(4_200), Some(true))
        );
        assert_eq!(event.method, Some(Word::of("wechat_pay")));
        assert_eq!((event.field_error.as_deref(), event.order_id.as_deref()), (Some("cvc"), Some("o1")));
        assert_eq!((event.value, event.currency, event.visitor), (None, None, None), "no money, nobody");
        assert_eq!((event.session_id.as_str(), event.event_id.len()), ("abc", 32));
    }

    #[test]
    fn what_a_browser_has_no_business_with_is_refused() {
        for (more, fault) in [
            (json!({"step": "refund"}), BeaconFault::Malformed),
            (json!({"step": "transactions"}), BeaconFault::Malformed),
            (json!({"id": null}), BeaconFault::Malformed),
            (json!({"time": "soon"}), BeaconFault::Malformed),
            (json!({"time": i64::MAX}), BeaconFault::Malformed),
            (json!({"time": 0}), BeaconFault::Clock),
            (json!({"time": super::super::tests::NOW_MS + 11 * 60_000}), BeaconFault::Clock),
            (json!({"time": super::super::tests::NOW_MS - 25 * 3_600_000}), BeaconFault::Clock),
            (json!({"dwell": -1}), BeaconFault::Malformed),
            (json!({"order": "4111 1111 1111 1111"}), BeaconFault::CardNumber),
            (json!({"extra": "4111111111111111"}), BeaconFault::CardNumber),
            (json!({"cvv": "123"}), BeaconFault::CardNumber),
        ] {
            assert_eq!(read(&event(more.clone())).unwrap(), [Err(fault)], "{more}");
        }
        for body in [json!([]), json!({}), json!({"session": "s"}), json!({"events": []}), json!(1)] {
            assert_eq!(read(&body), Err(BeaconFault::Malformed), "{body}");
        }
        let many: Vec<Value> = (0..=BEACON_EVENTS_MAX).map(|_| json!({})).collect();
        assert_eq!(read(&json!({"session": "s", "events": many})), Err(BeaconFault::Malformed));
    }

    #[test]
    fn only_names_of_fields_are_kept() {
        for (name, kept) in [
            ("card[number]", true),
            ("billing.address-line1", true),
            ("Wang Xiaoming", false),
            ("x@example.com", false),
            ("13800138000", false),
        ] {
            let event = read(&event(json!({"error": name}))).unwrap().remove(0).unwrap();
            assert_eq!(event.field_error.is_some(), kept, "{name}");
        }
    }
}
