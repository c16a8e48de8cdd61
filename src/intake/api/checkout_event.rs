use std::borrow::Cow;

use super::fields::{amount, attributes, bounded, currency, instant, missing, required_text, text, word_of};
use super::items::{WireItems, items};
use super::judge::{Judge, Row};
use super::row_error::{Code, Fault};
use super::wire::{Pairs, Text, object};
use super::{ATTRIBUTES_MAX, ID_CHARS_MAX, LABEL_CHARS_MAX, METHODS_OFFERED_MAX};
use crate::domain::{CheckoutEvent, Currency, Item, Step, Word};

/// Longest stay on one step: 30 days.
const DWELL_MS_MAX: i64 = 30 * 24 * 3600 * 1000;
const STEP_WORDS: &str = "view_item, add_to_cart, begin_checkout, add_shipping_info, add_payment_info, \
     payment_attempt, payment_failed, purchase, refund, cancel";

object! {
    /// A checkout event as it is sent.
    WireCheckoutEvent<'a> {
        event_id: Text<'a>, time: Text<'a>, store: Text<'a>, session_id: Text<'a>, visitor: Text<'a>,
        step: Text<'a>, order_id: Text<'a>, currency: Text<'a>, value: i64, methods_offered: Vec<Text<'a>>,
        method: Text<'a>, promotion: Text<'a>, source: Text<'a>, campaign: Text<'a>, device: Text<'a>,
        dwell_ms: i64, autofilled: bool, field_error: Text<'a>, items: WireItems<'a>,
        attributes: Pairs<'a, ATTRIBUTES_MAX>, test: bool,
    }
}

impl<'de, T: From<Cow<'de, str>>> Row<'de> for CheckoutEvent<T> {
    type Wire = WireCheckoutEvent<'de>;

    fn judge(wire: WireCheckoutEvent<'de>, judge: &Judge<'_>) -> Result<Self, Fault> {
        let currency = currency("currency", wire.currency)?;
        let value = amount("value", wire.value)?;
        if value.is_some() && currency.is_none() {
            return Err(missing("currency"));
        }
        Ok(Self {
            event_id: required_text("event_id", wire.event_id, ID_CHARS_MAX)?,
            time: instant("time", wire.time, judge.now)?.ok_or_else(|| missing("time"))?,
            store: judge.store(wire.store)?,
            session_id: required_text("session_id", wire.session_id, ID_CHARS_MAX)?,
            visitor: judge.pseudonym("visitor", wire.visitor)?,
            step: word_of("step", wire.step, Step::parse, STEP_WORDS)?.ok_or_else(|| missing("step"))?,
            order_id: text("order_id", wire.order_id, ID_CHARS_MAX)?,
            currency,
            value,
            methods_offered: methods(wire.methods_offered, judge)?,
            method: judge.slug("method", wire.method)?,
            promotion: text("promotion", wire.promotion, LABEL_CHARS_MAX)?,
            source: text("source", wire.source, LABEL_CHARS_MAX)?,
            campaign: text("campaign", wire.campaign, LABEL_CHARS_MAX)?,
            device: text("device", wire.device, LABEL_CHARS_MAX)?,
            dwell_ms: bounded("dwell_ms", wire.dwell_ms, 0, DWELL_MS_MAX)?,
            autofilled: wire.autofilled,
            field_error: text("field_error", wire.field_error, LABEL_CHARS_MAX)?,
            items: basket(wire.items, currency)?,
            attributes: wire.attributes.map_or(Ok(Vec::new()), |pairs| attributes(pairs.0))?,
            test: judge.test(wire.test)?,
        })
    }
}

/// Judges an event that came in another shape.
pub(in crate::intake) fn judge_wire(
    wire: WireCheckoutEvent<'_>,
    judge: &Judge<'_>,
) -> Result<CheckoutEvent, Fault> {
    Row::judge(wire, judge)
}

fn methods(offered: Option<Vec<Text<'_>>>, judge: &Judge<'_>) -> Result<Vec<Word>, Fault> {
    let offered = offered.unwrap_or_default();
    if offered.len() > METHODS_OFFERED_MAX {
        let message = format!("holds more than {METHODS_OFFERED_MAX} entries");
        return Err(Fault::new("methods_offered", Code::TooMany, message));
    }
    let mut words = Vec::with_capacity(offered.len());
    for method in offered {
        words.extend(judge.slug("methods_offered", Some(method))?);
    }
    Ok(words)
}

/// Lines have amounts, so a basket needs a currency.
fn basket<'a, T: From<Cow<'a, str>>>(
    lines: Option<WireItems<'a>>,
    currency: Option<Currency>,
) -> Result<Vec<Item<T>>, Fault> {
    match (lines, currency) {
        (Some(lines), None) if !lines.0.is_empty() => Err(missing("currency")),
        (_, None) => Ok(Vec::new()),
        (lines, Some(currency)) => items(lines, currency),
    }
}
