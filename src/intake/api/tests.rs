use chrono::NaiveTime;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::domain::{Currency, FailureClass, Kind, OrganisationId, Status, StoreId, Word};

const NAMES: Pseudonyms = Pseudonyms::new([7; 32]);

fn store(id: i64, slug: &str) -> Store {
    Store {
        id: StoreId(id),
        organisation: OrganisationId(1),
        slug: slug.into(),
        name: slug.into(),
        zone: chrono_tz::Asia::Shanghai,
        cut_off: NaiveTime::MIN,
        week_start: chrono::Weekday::Mon,
        currency: Currency::CNY,
        language: "en".into(),
    }
}

fn context(stores: &[Store]) -> RowContext<'_> {
    RowContext { now: "2026-11-24T12:00:00Z".parse().unwrap(), stores, test: false, pseudonyms: &NAMES }
}

fn payment() -> Value {
    json!({"transaction_id": "t1", "created_at": "2026-11-24T18:00:00+08:00", "status": "succeeded", "amount": 1205,
        "currency": "CNY"})
}

fn with(changes: &Value) -> Value {
    let mut row = payment();
    for (field, value) in changes.as_object().unwrap() {
        row[field] = value.clone();
    }
    row
}

fn read(row: &str) -> Result<Transaction, RowError> {
    let stores = [store(1, "main")];
    let mut batch = parse_transactions(row.as_bytes(), BodyFormat::Lines, &context(&stores)).unwrap();
    batch.rows.pop().ok_or_else(|| batch.errors.pop().unwrap())
}

#[track_caller]
fn refused(row: &str, field: &str, code: Code) {
    let error = read(row).expect_err(row);
    assert_eq!((error.field.as_ref(), error.code), (field, code), "{row}: {error:?}");
}

#[test]
fn the_least_row_is_a_payment_of_the_only_store() {
    let row = read(&payment().to_string()).unwrap();
    assert_eq!((row.kind, row.status, row.store), (Kind::Payment, Status::Succeeded, StoreId(1)));
    assert_eq!((row.account.as_str(), row.amount.minor(), row.test), ("default", 1205, false));
    assert_eq!(row.created_at, "2026-11-24T10:00:00Z".parse::<Instant>().unwrap());
    assert_eq!(row.provider, None);
}

#[test]
fn every_fault_names_its_field_and_code() {
    for (changes, field, code) in [
        (json!({"transaction_id": null}), "transaction_id", Code::Missing),
        (json!({"transaction_id": " "}), "transaction_id", Code::Missing),
        (json!({"transaction_id": 7}), "transaction_id", Code::WrongType),
        (json!({"transaction_id": "x".repeat(129)}), "transaction_id", Code::TooLong),
        (json!({"transaction_id": "a\u{0}b"}), "transaction_id", Code::ControlCharacter),
        (json!({"created_at": null}), "created_at", Code::Missing),
        (json!({"created_at": "2026-11-24T10:00:00"}), "created_at", Code::InvalidTime),
        (json!({"created_at": 1_795_132_800}), "created_at", Code::WrongType),
        (json!({"created_at": "9999-12-31T00:00:00Z"}), "created_at", Code::InFuture),
        (json!({"created_at": "2026-11-25T12:00:01Z"}), "created_at", Code::InFuture),
        (json!({"created_at": "1970-01-01T00:00:00Z"}), "created_at", Code::OutOfRange),
        (json!({"updated_at": "9999-12-31T00:00:00Z"}), "updated_at", Code::InFuture),
        (json!({"kind": "sale"}), "kind", Code::UnknownValue),
        (json!({"status": null}), "status", Code::Missing),
        (json!({"status": "paid"}), "status", Code::UnknownValue),
        (json!({"status": "won"}), "status", Code::StatusMismatch),
        (json!({"kind": "refund", "status": "expired"}), "status", Code::StatusMismatch),
        (json!({"amount": null}), "amount", Code::Missing),
        (json!({"amount": -1}), "amount", Code::OutOfRange),
        (json!({"amount": 1_000_000_000_000_001_i64}), "amount", Code::OutOfRange),
        (json!({"amount": 12.5}), "amount", Code::WrongType),
        (json!({"amount": "1205"}), "amount", Code::WrongType),
        (json!({"currency": "RMB"}), "currency", Code::UnknownCurrency),
        (json!({"currency": "cny"}), "currency", Code::UnknownCurrency),
        (json!({"store": "other"}), "store", Code::UnknownStore),
        (json!({"provider": "WeChat"}), "provider", Code::NotASlug),
        (json!({"method": "x".repeat(33)}), "method", Code::NotASlug),
        (json!({"scene": "street"}), "scene", Code::UnknownValue),
        (json!({"colour": "red"}), "colour", Code::UnknownField),
        (json!({"method_detail": {"colour": "red"}}), "method_detail.colour", Code::UnknownField),
        (json!({"method_detail": {"bank": 1}}), "method_detail.bank", Code::WrongType),
        (json!({"method_detail": []}), "method_detail", Code::WrongType),
        (json!({"risk": {"score": 0.5}}), "risk.score", Code::WrongType),
        (json!({"risk": {"score": 1_000_001}}), "risk.score", Code::OutOfRange),
        (json!({"items": {}}), "items", Code::WrongType),
        (json!({"items": [{"line_amount": 1}, 5]}), "items[1]", Code::WrongType),
        (json!({"items": [{"line_amount": 1}, {"weight": 5}]}), "items[1].weight", Code::UnknownField),
        (json!({"items": [{"sku": "a"}]}), "items[0].line_amount", Code::Missing),
        (json!({"items": [{"quantity": true}]}), "items[0].quantity", Code::WrongType),
        (json!({"items": [{"quantity": 2e9, "line_amount": 1}]}), "items[0].quantity", Code::OutOfRange),
        (json!({"settled_on": "2026-11-31"}), "settled_on", Code::InvalidTime),
        (json!({"attributes": {"a": 1}}), "attributes", Code::WrongType),
        (json!({"attributes": {"cvv": "123"}}), "attributes", Code::PanSuspected),
        (json!({"ip": "somewhere"}), "ip", Code::UnknownValue),
        (json!({"attempt": -1}), "attempt", Code::OutOfRange),
        (json!({"test": "yes"}), "test", Code::WrongType),
    ] {
        refused(&with(&changes).to_string(), field, code);
    }
}

#[test]
fn a_card_number_is_refused_wherever_it_stands_and_never_repeated() {
    let number = "4111 1111 1111 1111";
    for (changes, field) in [
        (json!({"order_id": number}), "order_id"),
        (json!({"failure_message": format!("card {number} declined")}), "failure_message"),
        (json!({"customer": number}), "customer"),
        (json!({"payment_fingerprint": "4111111111111111"}), "payment_fingerprint"),
        (json!({"attributes": {"note": number}}), "attributes"),
        (json!({"attributes": {number: "x"}}), "attributes"),
        (json!({"items": [{"line_amount": 1, "name": number}]}), "items[0].name"),
        (json!({"method_detail": {"wallet": number}}), "method_detail.wallet"),
        (json!({number: 1}), "(hidden)"),
        (json!({"provider": "4111111111111111"}), "provider"),
        (json!({"cvv": "123"}), "(hidden)"),
    ] {
        let error = read(&with(&changes).to_string()).unwrap_err();
        assert_eq!((error.field.as_ref(), error.code), (field, Code::PanSuspected), "{changes}");
        assert!(!format!("{error:?}").contains("1111"), "{error:?}");
    }
    // Where it breaks another rule first, it is not repeated either.
    for field in ["status", "currency", "created_at", "store", "kind", "amount", "scene", "ip", "settled_on"]
    {
        let error = read(&with(&json!({field: "4111111111111111"})).to_string()).unwrap_err();
        assert!(!format!("{error:?}").contains("4111"), "{error:?}");
    }
}

#[test]
fn what_is_no_json_names_no_value() {
    let whole = payment().to_string();
    refused(&whole[..whole.len() - 1], "transaction_id", Code::InvalidJson);
    refused("nonsense", "", Code::InvalidJson);
    refused("[]", "", Code::WrongType);
    refused("7", "", Code::WrongType);
    refused(&format!("{whole} x"), "transaction_id", Code::InvalidJson);
    refused(r#"{"amount": 1, "amount": 2}"#, "amount", Code::DuplicateField);
    refused(&format!("{{\"order_id\": {}", "[".repeat(200_000)), "order_id", Code::WrongType);
    refused(
        &format!("{{\"items\": [{{\"quantity\": {}", "[".repeat(200_000)),
        "items[0].quantity",
        Code::InvalidJson,
    );
    refused(&format!("{{\"order_id\": \"{}\"}}", "x".repeat(ROW_BYTES_MAX)), "", Code::RowTooLong);
}

#[test]
fn limits_hold_at_the_limit_and_one_beyond() {
    let items = |count: usize| with(&json!({"items": vec![json!({"line_amount": 1}); count]})).to_string();
    assert_eq!(read(&items(ITEMS_MAX)).unwrap().items.len(), ITEMS_MAX);
    refused(&items(ITEMS_MAX + 1), "items", Code::TooMany);
    let pairs = |count: usize| {
        let pairs: Map<String, Value> = (0..count).map(|n| (format!("k{n}"), json!("v"))).collect();
        with(&json!({"attributes": pairs})).to_string()
    };
    assert_eq!(read(&pairs(ATTRIBUTES_MAX)).unwrap().attributes.len(), ATTRIBUTES_MAX);
    refused(&pairs(ATTRIBUTES_MAX + 1), "attributes", Code::WrongType);
    // Characters, not bytes.
    let id = "店".repeat(ID_CHARS_MAX);
    assert_eq!(read(&with(&json!({"transaction_id": id})).to_string()).unwrap().transaction_id, id);
    let stores = [store(1, "main")];
    let lines = |count: usize| vec!["{}"; count].join("\n");
    let judged = |body: &str| parse_transactions(body.as_bytes(), BodyFormat::Lines, &context(&stores));
    assert_eq!(judged(&lines(BATCH_ROWS_MAX)).unwrap().errors.len(), BATCH_ROWS_MAX);
    assert_eq!(judged(&lines(BATCH_ROWS_MAX + 1)), Err(BodyError::TooManyRows));
}

#[test]
fn lines_of_a_basket_are_computed_exactly() {
    let lines = |items: Value| read(&with(&json!({"items": items})).to_string()).unwrap().items;
    let kept = lines(json!([
        {"sku": "a", "quantity": 3, "unit_amount": "0.335"},
        {"quantity": 0.5, "unit_amount": 0.01},
        {"quantity": -2, "unit_amount": 1.25, "discount": 5},
        {"unit_amount": 9.9},
        {"quantity": 1, "unit_amount": 9.9, "line_amount": 7},
    ]));
    let amounts: Vec<i64> = kept.iter().map(|item| item.line_amount).collect();
    assert_eq!(amounts, [101, 1, -255, 990, 7]);
    refused(
        &with(&json!({"items": [{"quantity": 1_000_000_000, "unit_amount": "10000000.01"}]})).to_string(),
        "items[0].line_amount",
        Code::OutOfRange,
    );
}

#[test]
fn people_are_pseudonyms_and_a_sender_cannot_name_one() {
    let row =
        |customer: &str| read(&with(&json!({"customer": customer})).to_string()).unwrap().customer.unwrap();
    let name = row("alice@example.com");
    assert_eq!(name, NAMES.of("customer", "", "alice@example.com"));
    assert_ne!(row(&name), name);
    let hashed = read(&with(&json!({"ip": "10.0.0.1"})).to_string()).unwrap().ip.unwrap();
    assert_eq!(hashed, NAMES.of("ip", "", "10.0.0.1"));
}

#[test]
fn a_known_failure_code_says_whose_fault_it_is() {
    let class = |changes: Value| read(&with(&changes).to_string()).unwrap().failure_class;
    let known = json!({"status": "failed", "provider": "wechat_pay", "failure_code": "NOTENOUGH"});
    assert_eq!(class(known.clone()), Some(FailureClass::Customer));
    let mut said = known;
    said["failure_class"] = json!("technical");
    assert_eq!(class(said), Some(FailureClass::Technical));
    assert_eq!(class(json!({"failure_code": "no-such-code"})), None);
}

#[test]
fn stores_are_those_of_the_key() {
    let (one, two) = ([store(1, "main")], [store(1, "main"), store(2, "second")]);
    let judge = |stores: &[Store], row: Value| {
        parse_transactions(row.to_string().as_bytes(), BodyFormat::Json, &context(stores)).unwrap()
    };
    assert_eq!(judge(&two, with(&json!({"store": "second"}))).rows[0].store, StoreId(2));
    assert_eq!(judge(&two, payment()).errors[0].code, Code::StoreRequired);
    let foreign = judge(&one, with(&json!({"store": "second"})));
    let nowhere = judge(&one, with(&json!({"store": "nowhere"})));
    assert_eq!(foreign.errors, nowhere.errors, "a foreign store looks like none");
    assert_eq!(judge(&[], payment()).errors[0].code, Code::UnknownStore);
}

#[test]
fn a_test_key_makes_tests_only() {
    let stores = [store(1, "main")];
    let test = RowContext { test: true, ..context(&stores) };
    let judge = |context: &RowContext<'_>, row: Value| {
        parse_transactions(row.to_string().as_bytes(), BodyFormat::Json, context).unwrap()
    };
    assert!(judge(&test, payment()).rows[0].test);
    assert_eq!(judge(&test, with(&json!({"test": false}))).errors[0].code, Code::TestKey);
    assert!(judge(&context(&stores), with(&json!({"test": true}))).rows[0].test);
}

#[test]
fn a_bad_row_does_not_stop_the_others() {
    let stores = [store(1, "main")];
    let bad = with(&json!({"amount": -5}));
    let list = json!([payment(), bad, payment()]).to_string();
    let lines = format!("{}\r\n\n{}\n{}\n", payment(), bad, payment());
    for (body, format) in [(list, BodyFormat::Json), (lines, BodyFormat::Lines)] {
        let batch = parse_transactions(body.as_bytes(), format, &context(&stores)).unwrap();
        assert_eq!(batch.rows.len(), 2);
        assert_eq!((batch.errors.len(), batch.errors[0].index), (1, 1));
    }
    let mut gbk = format!("{}\n", payment()).into_bytes();
    gbk.extend(b"{\"order_id\": \"\xd5\xca\xba\xe2\"}\n");
    let batch = parse_transactions(&gbk, BodyFormat::Lines, &context(&stores)).unwrap();
    assert_eq!((batch.rows.len(), batch.errors[0].code), (1, Code::NotUtf8));
}

#[test]
fn bodies_that_hold_no_rows_say_why() {
    let judge = |body: &[u8], format| parse_transactions(body, format, &context(&[])).unwrap_err();
    for format in [BodyFormat::Json, BodyFormat::Lines] {
        assert_eq!(judge(b"", format), BodyError::Empty);
        assert_eq!(judge(b" \n\r\n", format), BodyError::Empty);
    }
    assert_eq!(judge(b"[]", BodyFormat::Json), BodyError::Empty);
    assert_eq!(judge(b"[{\"amount\": 1}", BodyFormat::Json), BodyError::CutOff);
    assert!(matches!(judge(b"{}\n{}", BodyFormat::Json), BodyError::InvalidJson { line: 2, .. }));
    assert_eq!(judge(b"[{\"a\": \"\xd5\xca\"}]", BodyFormat::Json), BodyError::NotUtf8 { byte: 8 });
    let deep = format!("[{}", "[".repeat(1 << 20));
    assert_eq!(judge(deep.as_bytes(), BodyFormat::Json), BodyError::CutOff);
}

#[test]
fn ledger_lines_are_read() {
    let stores = [store(1, "main")];
    let line = json!({"line_id": "l1", "posted_at": "2026-11-24T10:00:00Z", "kind": "payment", "direction": "in",
        "currency": "CNY", "gross": 1000, "fee": 6, "net": 994, "fee_rate": "0.60%", "source_day": "2026-11-24"});
    let judge = |row: &Value| {
        parse_ledger_lines(row.to_string().as_bytes(), BodyFormat::Json, &context(&stores)).unwrap()
    };
    let batch = judge(&line);
    assert_eq!(
        (batch.rows[0].gross, batch.rows[0].net, batch.rows[0].status),
        (1000, Some(994), Status::Succeeded)
    );
    for (field, value, code) in [
        ("gross", json!(-1), Code::OutOfRange),
        ("direction", json!("up"), Code::UnknownValue),
        ("status", json!("blocked"), Code::UnknownValue),
        ("file", json!("abc"), Code::UnknownValue),
        ("description", json!("4111111111111111"), Code::PanSuspected),
        ("amount", json!(1), Code::UnknownField),
    ] {
        let mut bad = line.clone();
        bad[field] = value;
        let errors = judge(&bad).errors;
        assert_eq!((errors[0].field.as_ref(), errors[0].code), (field, code));
    }
}

#[test]
fn checkout_events_are_read() {
    let stores = [store(1, "main")];
    let event = json!({"event_id": "e1", "time": "2026-11-24T10:00:00Z", "session_id": "s1", "step": "begin_checkout",
        "visitor": "v1", "currency": "CNY", "value": 100, "methods_offered": ["alipay", "wechat_pay"],
        "items": [{"sku": "a", "quantity": 2, "unit_amount": 0.5}]});
    let judge = |row: &Value| {
        parse_checkout_events(row.to_string().as_bytes(), BodyFormat::Json, &context(&stores)).unwrap()
    };
    let row = judge(&event).rows.remove(0);
    assert_eq!((row.value, row.items[0].line_amount), (Some(100), 100));
    assert_eq!(row.methods_offered, [Word::of("alipay"), Word::of("wechat_pay")]);
    assert_ne!(row.visitor.as_deref(), Some("v1"));
    for (field, value, at, code) in [
        ("currency", json!(null), "currency", Code::Missing),
        ("step", json!("pay"), "step", Code::UnknownValue),
        ("methods_offered", json!(["A"]), "methods_offered", Code::NotASlug),
        ("methods_offered", json!(vec!["a"; 65]), "methods_offered", Code::TooMany),
        ("dwell_ms", json!(-1), "dwell_ms", Code::OutOfRange),
        ("session_id", json!(null), "session_id", Code::Missing),
    ] {
        let mut bad = event.clone();
        bad[field] = value;
        let errors = judge(&bad).errors;
        assert_eq!((errors[0].field.as_ref(), errors[0].code), (at, code));
    }
}

/// A transaction as it would be sent; people left out, for they do not come back.
fn print(row: &Transaction) -> Value {
    let word = |word: Option<Word>| word.map(|word| word.as_str().to_owned());
    let items: Vec<Value> = row
        .items
        .iter()
        .map(|item| {
            json!({"sku": item.sku, "name": item.name, "category": item.category,
                "quantity": item.quantity.to_string(), "unit_amount": item.unit_amount.map(|unit| unit.to_string()),
                "discount": item.discount, "line_amount": item.line_amount})
        })
        .collect();
    let attributes: Map<String, Value> =
        row.attributes.iter().map(|(key, value)| (key.clone(), json!(value))).collect();
    json!({"transaction_id": row.transaction_id, "created_at": row.created_at, "kind": row.kind.as_str(),
        "status": row.status.as_str(), "amount": row.amount.minor(), "currency": row.amount.currency().code(),
        "account": row.account, "provider": word(row.provider), "method": word(row.method),
        "aggregator": word(row.aggregator), "method_detail": {"bank": row.method_detail.bank,
        "card_brand": row.method_detail.card_brand, "funding": row.method_detail.funding,
        "wallet": row.method_detail.wallet}, "scene": row.scene.map(crate::domain::Scene::as_str),
        "order_id": row.order_id, "attempt": row.attempt, "completed_at": row.completed_at,
        "settled_on": row.settled_on, "failure_code": row.failure_code,
        "failure_class": row.failure_class.map(FailureClass::as_str), "fee": row.fee,
        "list_amount": row.list_amount, "tax": row.tax, "items": items, "risk": {"score": row.risk.score,
        "verdict": row.risk.verdict, "outcome": row.risk.outcome}, "attributes": attributes, "test": row.test})
}

/// Rows that are mostly right.
fn sent_rows() -> impl Strategy<Value = Value> {
    let label = || proptest::option::of("[ -~]{0,12}|[一-龥]{1,6}|\"\\\\");
    let slug = || proptest::option::of("[a-z0-9_-]{0,12}");
    let item = (
        label(),
        -1_000_000_i64..1_000_000,
        0_u32..6,
        0_i64..100_000,
        proptest::option::of(0_i64..99),
    )
        .prop_map(|(name, quantity, scale, unit, discount)| {
            let quantity = rust_decimal::Decimal::new(quantity, scale);
            json!({"name": name, "quantity": quantity.to_string(), "unit_amount": unit, "discount": discount})
        });
    let kinds = proptest::sample::select(Kind::ALL.to_vec());
    let status = proptest::sample::select(Status::ALL.to_vec());
    let first = ("[!-~]{1,20}", 0_i64..1_795_000_000_000, kinds, status, 0..=1_000_000_000_000_000_i64);
    let second = (slug(), slug(), label(), label(), proptest::collection::vec(item, 0..4));
    let third = (
        proptest::option::of(any::<i32>()),
        proptest::collection::hash_map("[a-z]{1,5}", "[ -~]{0,9}", 0..5),
    );
    (first, second, third).prop_map(|((id, at, kind, status, amount), (provider, method, order, bank, items), (score, pairs))| {
        json!({"transaction_id": id, "created_at": crate::domain::instant_from_ms(at), "kind": kind.as_str(),
            "status": status.as_str(), "amount": amount, "currency": "CNY", "provider": provider, "method": method,
            "order_id": order, "method_detail": {"bank": bank}, "items": items, "risk": {"score": score},
            "attributes": pairs})
    })
}

fn any_json() -> impl Strategy<Value = Value> {
    let field = proptest::sample::select(vec![
        "transaction_id",
        "created_at",
        "amount",
        "items",
        "method_detail",
        "risk",
        "attributes",
        "quantity",
        "x",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::hash_map(field.clone(), inner, 0..6).prop_map(|map| map
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value))
                .collect::<Map<_, _>>()
                .into()),
        ]
    })
}

fn read_every_way(body: &[u8]) {
    let stores = [store(1, "main")];
    let context = context(&stores);
    for format in [BodyFormat::Json, BodyFormat::Lines] {
        let _ = parse_transactions(body, format, &context);
        let _ = parse_ledger_lines(body, format, &context);
        let _ = parse_checkout_events(body, format, &context);
    }
}

proptest! {
    #[test]
    fn no_bytes_are_beyond_us(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        read_every_way(&body);
    }

    #[test]
    fn no_json_is_beyond_us(value in any_json(), cut in any::<proptest::sample::Index>()) {
        let text = value.to_string();
        read_every_way(text.as_bytes());
        read_every_way(&text.as_bytes()[..cut.index(text.len() + 1)]);
    }

    #[test]
    fn what_is_read_can_be_sent_again(row in sent_rows()) {
        if let Ok(read_once) = read(&row.to_string()) {
            let again = read(&print(&read_once).to_string());
            prop_assert_eq!(again, Ok(read_once));
        }
    }
}

#[test]
#[ignore = "a measurement: run with --release --ignored --nocapture"]
fn speed_of_a_row() {
    let stores = [store(1, "main")];
    let row = |n: u32| {
        json!({"transaction_id": format!("tx_{n:010}"), "created_at": "2026-11-24T10:00:00.123+08:00",
            "status": "succeeded", "amount": 1205, "currency": "CNY", "provider": "wechat_pay",
            "method": "wechat_pay", "scene": "mini_program", "order_id": format!("20261124{n:08}"),
            "provider_transaction_id": format!("42000012342026112412{n:08}"),
            "completed_at": "2026-11-24T10:00:04+08:00", "customer": format!("customer-{n}")})
        .to_string()
    };
    let lines: Vec<String> = (0..10_000).map(row).collect();
    let (ndjson, list) = (lines.join("\n"), format!("[{}]", lines.join(",")));
    for (name, body, format) in [("lines", ndjson, BodyFormat::Lines), ("list", list, BodyFormat::Json)] {
        let begun = std::time::Instant::now();
        for _ in 0..20 {
            assert_eq!(
                parse_transactions(body.as_bytes(), format, &context(&stores)).unwrap().rows.len(),
                10_000
            );
        }
        let us = begun.elapsed().as_secs_f64() * 1e6 / 200_000.0;
        println!("{name}: {us:.2} µs a row of {} bytes", body.len() / 10_000);
    }
}
