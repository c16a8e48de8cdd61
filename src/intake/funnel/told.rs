//! What a payload of any shape says of one event, and how it becomes ours: judged by the same rules as an event of our
//! own API.

use std::borrow::Cow;

use chrono::SecondsFormat;
use rust_decimal::Decimal;

use super::fields::Fields;
use super::method;
use crate::domain::{
    CheckoutEvent, Currency, Instant, STEPS, Step, Store, business_day_of, decimal_to_minor,
};
use crate::intake::api::{
    Code, Fault, ITEMS_MAX, Judge, Objects, Pairs, REFERENCE_CHARS_MAX, RowContext, Text, WireCheckoutEvent,
    WireItem, judge_wire,
};
use crate::intake::holds_card_number;

/// Letters of an id that is made here.
const MADE_ID_CHARS: usize = 32;
/// Stands for the id until the event is judged; never kept.
const NO_ID_YET: &str = "-";

/// One event as a payload tells it; texts are judged later.
pub(super) struct Told<'a> {
    /// Its id where the shape has one; else it is made of what is kept.
    pub id: Option<Cow<'a, str>>,
    /// `None`: the shape says none, so it is when the event came in.
    pub time: Option<Instant>,
    pub store: &'a Store,
    pub session: String,
    /// Keyed hash.
    pub visitor: Option<String>,
    pub step: Step,
    pub order: Option<Cow<'a, str>>,
    pub currency: Option<Cow<'a, str>>,
    /// Major units, without tax and shipping.
    pub value: Option<Decimal>,
    /// The way to pay as the shop calls it.
    pub method: Option<Cow<'a, str>>,
    pub promotion: Option<Cow<'a, str>>,
    pub source: Option<Cow<'a, str>>,
    pub campaign: Option<Cow<'a, str>>,
    pub device: Option<Cow<'a, str>>,
    pub dwell_ms: Option<i64>,
    pub autofilled: Option<bool>,
    pub field_error: Option<Cow<'a, str>>,
    pub items: Vec<WireItem<'a>>,
    pub attributes: Vec<(&'static str, Cow<'a, str>)>,
}

impl<'a> Told<'a> {
    /// An event of this step of which nothing else is known.
    pub(super) fn new(step: Step, store: &'a Store, shopper: Shopper) -> Self {
        Self {
            id: None,
            time: None,
            store,
            session: shopper.session,
            visitor: shopper.visitor,
            step,
            order: None,
            currency: None,
            value: None,
            method: None,
            promotion: None,
            source: None,
            campaign: None,
            device: None,
            dwell_ms: None,
            autofilled: None,
            field_error: None,
            items: Vec::new(),
            attributes: Vec::new(),
        }
    }

    /// Judges it. `names` are our field names and what this shape calls them, for the answer.
    pub(super) fn judged(
        mut self,
        judge: &Judge<'_>,
        now: Instant,
        names: &Names<'_>,
    ) -> Result<CheckoutEvent, Fault> {
        let currency = self.currency.take().map(|code| code.trim().to_ascii_uppercase());
        let known = currency.as_deref().and_then(|code| Currency::parse(code).ok());
        let is_timed = self.time.is_some();
        let visitor = self.visitor.take();
        let id = self.id.take();
        let is_named = id.is_some();
        let value = self.value.take().filter(|_| currency.is_some());
        let value = value.zip(known).map(|(major, currency)| minor(major, currency)).transpose();
        let wire = self.wire(id, currency, value.map_err(|fault| renamed(fault, names))?, now);
        let mut event = judge_wire(wire, judge).map_err(|fault| renamed(fault, names))?;
        event.visitor = visitor;
        if !is_named {
            event.event_id = content_id(&event, is_timed);
        }
        Ok(event)
    }

    fn wire(
        self,
        id: Option<Cow<'a, str>>,
        currency: Option<String>,
        value: Option<i64>,
        now: Instant,
    ) -> WireCheckoutEvent<'a> {
        let text = |of: Option<Cow<'a, str>>| of.map(Text);
        let word = self.method.as_deref().and_then(method::word);
        let mut attributes = self.attributes;
        if let Some(name) = self.method.filter(|name| word.as_deref() != Some(name.as_ref())) {
            attributes.push(("payment_type", name));
        }
        let pairs = attributes.into_iter().map(|(key, value)| (Text(Cow::Borrowed(key)), Text(value)));
        // Amounts without a currency say nothing; a basket has amounts.
        let items = if currency.is_some() { self.items } else { Vec::new() };
        let time = self.time.unwrap_or(now).to_rfc3339_opts(SecondsFormat::Millis, true);
        WireCheckoutEvent {
            event_id: Some(Text(id.unwrap_or(Cow::Borrowed(NO_ID_YET)))),
            time: Some(Text(Cow::Owned(time))),
            store: Some(Text(Cow::Borrowed(&self.store.slug))),
            session_id: Some(Text(Cow::Owned(self.session))),
            visitor: None,
            step: Some(Text(Cow::Borrowed(self.step.as_str()))),
            order_id: text(self.order),
            currency: text(currency.map(Cow::Owned)),
            value,
            methods_offered: None,
            method: text(word),
            promotion: text(self.promotion),
            source: text(self.source),
            campaign: text(self.campaign),
            device: text(self.device),
            dwell_ms: self.dwell_ms,
            autofilled: self.autofilled,
            field_error: text(self.field_error),
            items: Some(Objects(items)),
            attributes: Some(Pairs(pairs.collect())),
            test: None,
        }
    }
}

fn minor(major: Decimal, currency: Currency) -> Result<i64, Fault> {
    decimal_to_minor(major, currency)
        .map_err(|_| Fault::new("value", Code::OutOfRange, "is beyond what one event can be worth"))
}

/// What a shape calls our fields, so that an answer names them as the sender knows them.
pub(super) struct Names<'n> {
    pub fields: &'n [(&'static str, String)],
    pub items: &'n ItemNames,
}

/// The same with the field named as the sender knows it.
fn renamed(fault: Fault, names: &Names<'_>) -> Fault {
    let field = fault.field.as_ref();
    let (head, tail) = field.split_at(field.find(['[', '.']).unwrap_or(field.len()));
    let own = names.fields.iter().find(|(ours, _)| *ours == head).map(|(_, theirs)| theirs.as_str());
    let tail = match tail.rsplit_once('.') {
        Some((line, of_line)) => format!("{line}.{}", names.items.theirs(of_line)),
        None => tail.to_owned(),
    };
    Fault::new(format!("{}{tail}", own.unwrap_or(head)), fault.code, fault.message)
}

/// The lines of a basket of which a price is known: others are worth an unknown amount, not none.
pub(super) fn basket<'a>(
    lines: Option<Vec<Fields<'a>>>,
    names: &ItemNames,
) -> Result<Vec<WireItem<'a>>, Fault> {
    let mut items = Vec::new();
    for line in lines.unwrap_or_default() {
        items.extend(item(&line, names)?);
    }
    Ok(items)
}

/// Where the fields of a basket line stand.
pub(super) struct ItemNames {
    pub sku: &'static [&'static str],
    pub name: &'static str,
    pub category: &'static str,
}

impl ItemNames {
    fn theirs<'n>(&self, ours: &'n str) -> &'n str
    where
        'static: 'n,
    {
        match ours {
            "sku" => self.sku.first().copied().unwrap_or(ours),
            "name" => self.name,
            "category" => self.category,
            "unit_amount" | "line_amount" => "price",
            same => same,
        }
    }
}

/// One line; `None` without a price.
pub(super) fn item<'a>(line: &Fields<'a>, names: &ItemNames) -> Result<Option<WireItem<'a>>, Fault> {
    let Some(price) = line.raw("price")? else { return Ok(None) };
    Ok(Some(WireItem {
        sku: line.first_text(names.sku)?.map(|(_, sku)| Text(sku)),
        name: line.text(names.name)?.map(Text),
        category: line.text(names.category)?.map(Text),
        quantity: line.raw("quantity")?,
        unit_amount: Some(price),
        // The price is already the discounted one.
        discount: None,
        line_amount: None,
    }))
}

/// Most lines of a basket.
pub(super) const LINES_MAX: usize = ITEMS_MAX;

/// Who went through checkout: hashed at once.
pub(super) struct Shopper {
    pub session: String,
    pub visitor: Option<String>,
}

/// The hash of a reference to a visitor.
pub(super) fn visitor(context: &RowContext<'_>, place: &str, raw: &str) -> Result<String, Fault> {
    if raw.len() > REFERENCE_CHARS_MAX {
        let message = format!("has more than {REFERENCE_CHARS_MAX} bytes");
        return Err(Fault::new(place.to_owned(), Code::TooLong, message));
    }
    if !is_client_id(raw) && holds_card_number(raw) {
        let message = "holds what looks like a card number, which may not be sent here";
        return Err(Fault::new(place.to_owned(), Code::PanSuspected, message));
    }
    Ok(context.pseudonyms.of("visitor", "", raw))
}

/// True for Google's client ids, a random number and a time with a dot between: one of two hundred would look like a
/// card number.
fn is_client_id(text: &str) -> bool {
    let rest = text.strip_prefix("GA1.").and_then(|rest| rest.split_once('.')).map_or(text, |(_, rest)| rest);
    let is_number = |part: &str| part.len() <= 10 && part.bytes().all(|byte| byte.is_ascii_digit());
    rest.split_once('.')
        .is_some_and(|(random, time)| is_number(random) && is_number(time) && time.len() == 10)
}

/// The session of a visitor: as the shop numbers it, for each visitor anew, or else the visitor's business day.
pub(super) fn session(
    context: &RowContext<'_>,
    store: &Store,
    visitor: Option<&str>,
    named: Option<&str>,
    time: Instant,
) -> Option<String> {
    let day;
    let session = match (named, visitor) {
        (Some(named), _) => named,
        (None, None) => return None,
        (None, Some(_)) => {
            day = format!("{} {}", store.slug, business_day_of(store, time));
            &day
        }
    };
    Some(letters(&context.pseudonyms.of("session", visitor.unwrap_or_default(), session)))
}

/// The store that an event names; else one of `hints` that is a store's short name; else the key's only one.
pub(super) fn store_of<'s>(
    context: &RowContext<'s>,
    named: Option<(String, Cow<'_, str>)>,
    hints: &[Cow<'_, str>],
) -> Result<&'s Store, Fault> {
    let of = |slug: &str| context.stores.iter().find(|store| store.slug.eq_ignore_ascii_case(slug.trim()));
    if let Some((place, slug)) = named {
        return of(&slug).ok_or_else(|| Fault::new(place, Code::UnknownStore, "is no store of this key"));
    }
    if let Some(store) = hints.iter().find_map(|hint| of(hint)) {
        return Ok(store);
    }
    match context.stores {
        [only] => Ok(only),
        [] => Err(Fault::new("store", Code::UnknownStore, "this key has no store")),
        _ => {
            let message = "is required, because the key is bound to several stores";
            Err(Fault::new("store", Code::StoreRequired, message))
        }
    }
}

/// The step of a name: a word of ours (which are GA4's), or one of `others`. Case and what stands between words do not
/// matter.
pub(super) fn step_of(name: &str, others: &[(&str, Step)]) -> Option<Step> {
    let same = |known: &str| {
        let plain = |text: &str| -> String {
            text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
        };
        name.len() <= 64 && plain(known) == plain(name)
    };
    let named = others.iter().find(|(known, _)| same(known)).map(|(_, step)| *step);
    named.or_else(|| STEPS.into_iter().find(|step| same(step.as_str())))
}

/// An id out of parts that are an id together.
pub(super) fn id_of(parts: &[&str]) -> String {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        // The length in front keeps ("ab", "c") and ("a", "bc") apart.
        hasher.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    letters(&hasher.finalize().to_hex())
}

/// The id of an event that has none: of everything that is kept of it, so that the same event sent again is the same,
/// and two that differ are two.
#[expect(clippy::expect_used, reason = "an id of nothing would make all such events one in silence")]
fn content_id(event: &CheckoutEvent, is_timed: bool) -> String {
    let mut of = event.clone();
    of.event_id.clear();
    if !is_timed {
        // When it came in is no part of what was sent.
        of.time = Instant::UNIX_EPOCH;
    }
    id_of(&[&serde_json::to_string(&of).expect("a record is always JSON")])
}

/// Hex without digits, which might by chance look like a card number.
fn letters(hex: &str) -> String {
    let letter = |byte: u8| char::from(if byte.is_ascii_digit() { byte - b'0' + b'g' } else { byte });
    hex.bytes().take(MADE_ID_CHARS).map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_id_of_google_is_no_card_number() {
        let looks_like_one = |n: u32| holds_card_number(&format!("{n}.1795132800"));
        assert!((400_000_000..400_000_200).any(looks_like_one), "the trap is there");
        for (text, expected) in [
            ("400000000.1795132800", true),
            ("GA1.1.400000000.1795132800", true),
            ("GA1.2.1400000000.1795132800", true),
            ("555.666", false),
            ("4111.1111.1111.1111", false),
            ("4111111111111111", false),
            ("411111111111.1795132800", false),
        ] {
            assert_eq!(is_client_id(text), expected, "{text}");
        }
    }

    #[test]
    fn made_ids_have_no_digits() {
        let id = id_of(&["a", "b"]);
        assert!(id.len() == MADE_ID_CHARS && id.bytes().all(|byte| byte.is_ascii_lowercase()), "{id}");
        assert_ne!(id, id_of(&["ab", ""]));
    }

    #[test]
    fn steps_are_known_however_written() {
        let others = [("Order Completed", Step::Purchase)];
        for name in ["Order Completed", "order_completed", "purchase", "Purchase"] {
            assert_eq!(step_of(name, &others), Some(Step::Purchase), "{name}");
        }
        assert_eq!(step_of("payment-failed", &others), Some(Step::PaymentFailed));
        assert_eq!(step_of("page_view", &others), None);
    }
}
