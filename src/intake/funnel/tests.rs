use serde_json::{Value, json};

use super::*;
use Step::{AddPaymentInfo, AddShippingInfo, AddToCart, BeginCheckout, Purchase, Refund, ViewItem};

use crate::domain::{Currency, Instant, OrganisationId, Step, Store, StoreId, Word, instant_from_ms};
use crate::intake::Pseudonyms;

/// The clock of the samples: 2026-11-20T00:00:00Z, and a little later.
pub(super) const NOW_MS: i64 = 1_795_132_800_000 + 600_000;

fn store(id: i64, slug: &str) -> Store {
    Store {
        id: StoreId(id),
        organisation: OrganisationId(1),
        slug: slug.into(),
        name: slug.into(),
        zone: chrono_tz::Tz::Asia__Shanghai,
        cut_off: chrono::NaiveTime::MIN,
        week_start: chrono::Weekday::Mon,
        currency: Currency::CNY,
        language: "en".into(),
    }
}

pub(super) struct World {
    stores: Vec<Store>,
    names: Pseudonyms,
    now: Instant,
}

impl World {
    pub(super) fn new() -> Self {
        let now = instant_from_ms(NOW_MS);
        Self { stores: vec![store(1, "us-001")], names: Pseudonyms::new([7; 32]), now }
    }

    pub(super) fn with<T>(&self, read: impl FnOnce(&RowContext<'_>) -> T) -> T {
        read(&RowContext { now: self.now, stores: &self.stores, test: false, pseudonyms: &self.names })
    }

    fn parse(&self, shape: Shape, format: BodyFormat, body: &[u8]) -> Result<Sorted, BodyError> {
        self.with(|context| parse(body, format, shape, context))
    }

    fn one(&self, shape: Shape, payload: &Value) -> Sorted {
        self.parse(shape, BodyFormat::Json, payload.to_string().as_bytes()).unwrap()
    }

    fn refused(&self, shape: Shape, payload: &Value) -> (String, &'static str) {
        let sorted = self.one(shape, payload);
        let [error] = &sorted.errors[..] else { panic!("{sorted:?}") };
        (error.field.clone().into_owned(), error.code.as_str())
    }
}

fn sample(name: &str) -> Option<Vec<u8>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/samples/funnel/").to_owned() + name;
    let read = std::fs::read(path);
    if read.is_err() {
        println!("skipped: {name} is absent");
    }
    read.ok()
}

const SAMPLES: [(Shape, BodyFormat, &str); 3] = [
    (Shape::Ga4, BodyFormat::Lines, "synthetic_ga4_measurement_protocol.jsonl"),
    (Shape::Segment, BodyFormat::Lines, "synthetic_segment_track.jsonl"),
    (Shape::CloudEvents, BodyFormat::Json, "synthetic_cloudevents_batch.json"),
];

fn steps(sorted: &Sorted) -> Vec<Step> {
    sorted.events.iter().map(|event| event.step).collect()
}

fn sessions(sorted: &Sorted) -> usize {
    let ids: std::collections::BTreeSet<_> = sorted.events.iter().map(|event| &event.session_id).collect();
    ids.len()
}

#[test]
fn the_ga4_sample_is_read_to_the_minor_unit() {
    let Some(body) = sample(SAMPLES[0].2) else { return };
    let sorted = World::new().parse(Shape::Ga4, BodyFormat::Lines, &body).unwrap();
    assert_eq!((sorted.errors.len(), sorted.ignored), (0, 0), "{:?}", sorted.errors);
    assert_eq!(
        steps(&sorted),
        [ViewItem, AddToCart, BeginCheckout, AddShippingInfo, AddPaymentInfo, Purchase, Refund]
    );
    assert_eq!(sessions(&sorted), 1);
    let values: Vec<_> = sorted.events.iter().map(|event| event.value).collect();
    assert_eq!(values, [[Some(12_800); 6].as_slice(), &[Some(2_800)]].concat());
    let purchase = &sorted.events[5];
    assert_eq!(purchase.order_id.as_deref(), Some("SYNS0001"));
    assert_eq!(purchase.currency, Currency::parse("USD").ok());
    assert_eq!(purchase.promotion.as_deref(), Some("NOV"));
    assert_eq!(purchase.time.to_rfc3339(), "2026-11-20T00:02:30+00:00");
    assert_eq!((purchase.items[0].sku.as_deref(), purchase.items[0].line_amount), (Some("SKU1"), 12_800));
    assert_eq!(purchase.items[0].category.as_deref(), Some("Gift"));
    assert_eq!(sorted.events[4].method, Some(Word::of("card")));
    assert_eq!(sorted.events[4].attributes, [("payment_type".to_owned(), "Credit Card".to_owned())]);
    assert_eq!(sorted.events[3].attributes, [("shipping_tier".to_owned(), "Ground".to_owned())]);
    let visitor = purchase.visitor.as_deref().unwrap();
    assert!(visitor.len() == 32 && !visitor.contains("555"), "{visitor}");
}

#[test]
fn the_segment_sample_is_read_to_the_minor_unit() {
    let Some(body) = sample(SAMPLES[1].2) else { return };
    let sorted = World::new().parse(Shape::Segment, BodyFormat::Lines, &body).unwrap();
    assert_eq!((sorted.errors.len(), sorted.ignored), (0, 0), "{:?}", sorted.errors);
    assert_eq!(steps(&sorted), [ViewItem, AddToCart, BeginCheckout, AddPaymentInfo, Purchase, Refund]);
    assert_eq!(sessions(&sorted), 1);
    let values: Vec<_> = sorted.events.iter().map(|event| event.value).collect();
    // An event without a currency is worth an unknown amount; the order is worth its revenue, not its total.
    assert_eq!(values, [Some(12_800), None, Some(12_800), None, Some(12_800), Some(2_800)]);
    assert_eq!(sorted.events[0].event_id, "msg-0");
    assert_eq!(sorted.events[0].items[0].line_amount, 12_800);
    assert!(sorted.events[1].items.is_empty());
    assert_eq!(sorted.events[3].method, Some(Word::of("card")));
    assert_eq!(sorted.events[4].order_id.as_deref(), Some("SYNS0001"));
}

#[test]
fn the_cloud_events_sample_is_read_to_the_minor_unit() {
    let Some(body) = sample(SAMPLES[2].2) else { return };
    let sorted = World::new().parse(Shape::CloudEvents, BodyFormat::Json, &body).unwrap();
    assert_eq!((sorted.errors.len(), sorted.ignored), (0, 0), "{:?}", sorted.errors);
    assert_eq!(steps(&sorted), [Step::BeginCheckout, Step::Purchase]);
    for event in &sorted.events {
        assert_eq!((event.value, event.order_id.as_deref()), (Some(12_800), Some("SYNS0001")));
        assert_eq!(event.session_id, "1795132800");
    }
}

/// What is kept in the end: of each id the event that came last.
fn kept(bodies: &[Vec<u8>], world: &World, shape: Shape, format: BodyFormat) -> Vec<String> {
    let mut events = std::collections::BTreeMap::new();
    for body in bodies {
        for event in world.parse(shape, format, body).unwrap().events {
            events.insert(event.event_id.clone(), serde_json::to_string(&event).unwrap());
        }
    }
    events.into_values().collect()
}

#[test]
fn a_body_twice_backwards_or_in_halves_changes_nothing() {
    let world = World::new();
    for (shape, format, name) in SAMPLES {
        let Some(body) = sample(name) else { return };
        let on_one_line = |row: &[u8]| serde_json::from_slice::<Value>(row).unwrap().to_string().into_bytes();
        let rows: Vec<Vec<u8>> = find_rows(&body, format).unwrap().into_iter().map(on_one_line).collect();
        let once = kept(std::slice::from_ref(&body), &world, shape, format);
        assert_eq!(once.len(), rows.len(), "{name}");
        let twice = kept(&[body.clone(), body.clone()], &world, shape, format);
        let backwards: Vec<Vec<u8>> = rows.iter().rev().cloned().collect();
        assert_eq!(once, twice, "{name} twice");
        assert_eq!(once, kept(&backwards, &world, shape, BodyFormat::Lines), "{name} backwards");
        let (first, second) = rows.split_at(rows.len() / 2);
        let halves = [second.join(&b'\n'), first.join(&b'\n'), second.join(&b'\n')];
        let halves: Vec<Vec<u8>> = halves.into_iter().filter(|half| !half.is_empty()).collect();
        assert_eq!(once, kept(&halves, &world, shape, BodyFormat::Lines), "{name} in halves");
    }
}

fn ga4(params: &Value) -> Value {
    json!({"client_id": "1.2", "timestamp_micros": 1_795_132_800_000_000_i64,
        "events": [{"name": "purchase", "params": params}]})
}

#[test]
fn a_session_number_of_ga4_means_something_with_its_client_only() {
    let world = World::new();
    let of = |client: &str| {
        let mut payload = ga4(&json!({"session_id": 1_795_132_800}));
        payload["client_id"] = json!(client);
        world.one(Shape::Ga4, &payload).events[0].session_id.clone()
    };
    assert_eq!(of("1.2"), of("1.2"));
    assert_ne!(of("1.2"), of("1.3"));
}

#[test]
fn without_a_session_a_visitors_business_day_is_one() {
    let world = World::new();
    let of = |time: &str, person: &str| {
        let call = json!({"event": "Order Completed", "anonymousId": person, "timestamp": time});
        world.one(Shape::Segment, &call).events[0].session_id.clone()
    };
    // 15:59 and 16:00 UTC are two days in Shanghai, 16:00 and 00:05 one.
    assert_ne!(of("2026-11-19T15:59:00Z", "a"), of("2026-11-19T16:00:00Z", "a"));
    assert_eq!(of("2026-11-19T16:00:00Z", "a"), of("2026-11-20T00:05:00Z", "a"));
    assert_ne!(of("2026-11-19T16:00:00Z", "a"), of("2026-11-19T16:00:00Z", "b"));
    let nobody = json!({"event": "Order Completed", "messageId": "m"});
    assert_eq!(world.refused(Shape::Segment, &nobody), ("anonymousId".into(), "missing"));
}

#[test]
fn without_a_time_an_event_is_when_it_came_and_the_same_when_sent_again() {
    let mut world = World::new();
    let mut payload = ga4(&json!({"session_id": "s"}));
    payload.as_object_mut().unwrap().remove("timestamp_micros");
    let first = world.one(Shape::Ga4, &payload).events.remove(0);
    world.now += chrono::TimeDelta::minutes(1);
    let second = world.one(Shape::Ga4, &payload).events.remove(0);
    assert_eq!((first.time.timestamp_millis(), first.event_id), (NOW_MS, second.event_id));
}

#[test]
fn names_that_are_no_step_are_counted_not_refused() {
    let world = World::new();
    let payload = json!({"client_id": "1.2", "events": [{"name": "page_view"}, {"name": "purchase",
        "params": {"session_id": "s"}}, {"name": "scroll", "params": {"percent_scrolled": 90}}]});
    let sorted = world.one(Shape::Ga4, &payload);
    assert_eq!((sorted.events.len(), sorted.ignored, sorted.errors.len()), (1, 2, 0));
    let batch = json!({"batch": [{"type": "identify", "userId": "u", "traits": {"email": "a@b.c"}},
        {"type": "track", "event": "Song Played", "userId": "u"},
        {"type": "track", "event": "Checkout Started", "userId": "u"}],
        "sentAt": "2026-11-20T00:00:00Z", "context": {"campaign": {"source": "wechat"}}});
    let sorted = world.one(Shape::Segment, &batch);
    assert_eq!((sorted.events.len(), sorted.ignored, sorted.errors.len()), (1, 2, 0), "{sorted:?}");
    assert_eq!(sorted.events[0].source.as_deref(), Some("wechat"));
    assert_eq!(sorted.events[0].time.to_rfc3339(), "2026-11-20T00:00:00+00:00");
    let event = json!({"specversion": "1.0", "id": "1", "source": "/s", "type": "com.example.user.created"});
    assert_eq!(world.one(Shape::CloudEvents, &event).ignored, 1);
}

#[test]
fn bad_values_are_refused_with_the_name_of_their_field() {
    let world = World::new();
    for (params, field, code) in [
        (json!({"currency": "USD", "value": "much"}), "events[0].params.value", "wrong_type"),
        (json!({"currency": "USD", "value": -1}), "events[0].params.value", "out_of_range"),
        (json!({"currency": "USD", "value": 1e20}), "events[0].params.value", "out_of_range"),
        (json!({"currency": "USD", "value": 1e300}), "events[0].params.value", "wrong_type"),
        (json!({"currency": "Dollar", "value": 1}), "events[0].params.currency", "unknown_currency"),
        (json!({"coupon": "x".repeat(129)}), "events[0].params.coupon", "too_long"),
        (json!({"coupon": {"a": 1}}), "events[0].params.coupon", "wrong_type"),
        (json!({"items": "none"}), "events[0].params.items", "wrong_type"),
        (
            json!({"currency": "USD", "items": [{"item_id": "x".repeat(129), "price": 1}]}),
            "events[0].params.items[0].item_id",
            "too_long",
        ),
        (
            json!({"currency": "USD", "items": [{"price": 1}, {"price": "dear"}]}),
            "events[0].params.items[1].price",
            "wrong_type",
        ),
        (json!({"store": "elsewhere"}), "events[0].params.store", "unknown_store"),
    ] {
        assert_eq!(world.refused(Shape::Ga4, &ga4(&params)), (field.to_owned(), code), "{params}");
    }
    for (time, code) in [(json!("soon"), "invalid_time"), (json!(4_000_000_000_000_000_i64), "in_future")] {
        let mut payload = ga4(&json!({}));
        payload["timestamp_micros"] = time;
        assert_eq!(world.refused(Shape::Ga4, &payload), ("timestamp_micros".to_owned(), code));
    }
    for (field, payload) in [
        ("events", json!({"client_id": "1"})),
        ("events[0].name", json!({"client_id": "1", "events": [{}]})),
        ("client_id", json!({"events": [{"name": "purchase"}]})),
    ] {
        assert_eq!(world.refused(Shape::Ga4, &payload), (field.to_owned(), "missing"));
    }
    let event = json!({"specversion": "1.0", "id": "1", "source": "/s", "type": "a.purchase",
        "data": {"session_id": "s"}});
    for field in ["specversion", "id", "source", "type"] {
        let mut event = event.clone();
        event.as_object_mut().unwrap().remove(field);
        assert_eq!(world.refused(Shape::CloudEvents, &event), (field.to_owned(), "missing"));
    }
    let mut wrong = event.clone();
    wrong["specversion"] = json!("0.3");
    assert_eq!(world.refused(Shape::CloudEvents, &wrong).0, "specversion");
    assert_eq!(world.one(Shape::CloudEvents, &event).events.len(), 1);
}

#[test]
fn card_numbers_are_refused_wherever_they_stand() {
    let world = World::new();
    for params in [
        json!({"transaction_id": "4111111111111111"}),
        json!({"coupon": "4111 1111 1111 1111"}),
        json!({"note": "paid with 4111-1111-1111-1111"}),
        json!({"deep": {"list": [1, {"x": "4111111111111111"}]}}),
        json!({"number": 4_111_111_111_111_111_i64}),
        json!({"cvv": "123"}),
        json!({"deep": {"card_number": "-"}}),
    ] {
        assert_eq!(world.refused(Shape::Ga4, &ga4(&params)).1, "pan_suspected", "{params}");
    }
    let mut payload = ga4(&json!({}));
    payload["client_id"] = json!("4111111111111111");
    assert_eq!(world.refused(Shape::Ga4, &payload), ("client_id".into(), "pan_suspected"));
    // A third of thirteen has sixteen digits, and the check digit of a card number.
    let prices: Vec<f64> = (1..400).map(|n| f64::from(n) / 3.0).collect();
    let items: Vec<Value> = prices.iter().map(|price| json!({"item_id": "a", "price": price})).collect();
    let sorted = world.one(Shape::Ga4, &ga4(&json!({"currency": "USD", "items": items})));
    assert_eq!((sorted.errors, sorted.events[0].items.len()), (Vec::new(), 399));
}

#[test]
fn a_store_is_named_or_the_only_one() {
    let mut world = World::new();
    world.stores.push(store(2, "us-002"));
    let of = |world: &World, shape, payload: &Value| world.one(shape, payload).events[0].store;
    assert_eq!(of(&world, Shape::Ga4, &ga4(&json!({"affiliation": "US-002"}))), StoreId(2));
    assert_eq!(of(&world, Shape::Ga4, &ga4(&json!({"store": "us-001"}))), StoreId(1));
    let event = json!({"specversion": "1.0", "id": "1", "source": "/shop/us-002", "type": "x.purchase.v2",
        "data": {"session_id": "s"}});
    assert_eq!(of(&world, Shape::CloudEvents, &event), StoreId(2));
    let call = json!({"event": "Order Completed", "anonymousId": "a",
        "properties": {"affiliation": "Google Store"}});
    assert_eq!(world.refused(Shape::Segment, &call), ("store".into(), "store_required"));
    world.stores.truncate(1);
    assert_eq!(of(&world, Shape::Segment, &call), StoreId(1));
}

#[test]
fn a_total_is_taken_without_tax_and_shipping() {
    let world = World::new();
    for (properties, value) in [
        (json!({"total": 133.5, "tax": 0.5, "shipping": "5.00"}), 12_800),
        (json!({"total": 133, "revenue": 128}), 12_800),
        (json!({"total": 28}), 2_800),
        // What floats make of 29.99.
        (json!({"value": 29.990_000_000_000_002}), 2_999),
    ] {
        let mut properties = properties;
        properties["currency"] = json!("usd");
        let call = json!({"event": "order completed", "anonymousId": "a", "properties": properties});
        assert_eq!(world.one(Shape::Segment, &call).events[0].value, Some(value), "{call}");
    }
    let yen = json!({"event": "order completed", "anonymousId": "a",
        "properties": {"currency": "JPY", "revenue": 1280}});
    assert_eq!(world.one(Shape::Segment, &yen).events[0].value, Some(1_280));
}

#[test]
fn binary_mode_is_the_same_event() {
    let world = World::new();
    let attributes = Attributes {
        specversion: Some("1.0".into()),
        id: Some("ce-1".into()),
        source: Some("/shop/us-001".into()),
        kind: Some("com.example.checkout.purchase".into()),
        time: Some("2026-11-20T00:01:00Z".into()),
        subject: Some("SYNS0001".into()),
    };
    let data = json!({"session_id": "1795132800", "transaction_id": "SYNS0001", "currency": "USD",
        "value": 128.0});
    let structured = json!({"specversion": "1.0", "id": "ce-1", "source": "/shop/us-001",
        "type": "com.example.checkout.purchase", "time": "2026-11-20T00:01:00Z", "subject": "SYNS0001",
        "datacontenttype": "application/json", "data": data});
    let binary = attributes.around(data.to_string().as_bytes()).unwrap();
    let binary = world.parse(Shape::CloudEvents, BodyFormat::Json, &binary).unwrap();
    assert_eq!(binary, world.one(Shape::CloudEvents, &structured));
    assert!(attributes.around(b"{").is_none());
}

/// Numbers from a seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(most.max(1)).unwrap()).unwrap()
    }
}

#[test]
fn nothing_that_is_sent_makes_a_reader_panic() {
    let world = World::new();
    let snippets: [&[u8]; 14] = [
        b"null",
        b"\"",
        b"{",
        b"}",
        b"[",
        b"]",
        b"-1",
        b"1e400",
        b"\\u0000",
        b"\xff\xfe",
        b"true",
        b",",
        b"99999999999999999999999",
        b"\"\\ud800\"",
    ];
    let mut dice = Dice(0x7111_3a7c);
    for (shape, format, name) in SAMPLES {
        let Some(body) = sample(name) else { return };
        for _ in 0..3_000 {
            let mut bytes = body.clone();
            for _ in 0..=dice.below(4) {
                let at = dice.below(bytes.len());
                match dice.below(4) {
                    0 => bytes[at] = u8::try_from(dice.below(256)).unwrap(),
                    1 => bytes.truncate(at.max(1)),
                    2 => {
                        let end = (at + dice.below(40)).min(bytes.len());
                        bytes.splice(at..end, snippets[dice.below(snippets.len())].iter().copied());
                    }
                    _ => {
                        let end = (at + dice.below(200)).min(bytes.len());
                        let copy = bytes[at..end].to_vec();
                        bytes.splice(at..at, copy);
                    }
                }
                if bytes.is_empty() {
                    bytes.push(b'{');
                }
            }
            if let Ok(sorted) = world.parse(shape, format, &bytes) {
                for event in sorted.events {
                    assert!(event.event_id.len() <= 128 && event.value.is_none_or(|value| value >= 0));
                }
            }
        }
    }
}

#[test]
fn too_much_is_refused_at_its_limit() {
    let world = World::new();
    let events = |n: usize| {
        let events: Vec<Value> = (0..n).map(|_| json!({"name": "page_view"})).collect();
        json!({"client_id": "1", "events": events})
    };
    assert_eq!(world.one(Shape::Ga4, &events(100)).ignored, 100);
    assert_eq!(world.refused(Shape::Ga4, &events(101)), ("events".into(), "too_many"));
    let lines = format!("{}\n", events(100)).repeat(101);
    let many = world.parse(Shape::Ga4, BodyFormat::Lines, lines.as_bytes());
    assert_eq!(many, Err(BodyError::TooManyRows));
    let long = json!({"client_id": "x".repeat(PAYLOAD_BYTES_MAX), "events": []});
    assert_eq!(world.refused(Shape::Ga4, &long).1, "row_too_long");
    let deep = format!(
        r#"{{"client_id":"1","events":[{{"name":"purchase","params":{{"x":{}{}}}}}]}}"#,
        "[".repeat(200),
        "]".repeat(200)
    );
    let sorted = world.parse(Shape::Ga4, BodyFormat::Json, deep.as_bytes());
    assert!(sorted.is_ok_and(|sorted| sorted.errors[0].code == Code::InvalidJson));
}
