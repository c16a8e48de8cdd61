//! In any order, twice, and in halves: the same rows.

use proptest::prelude::*;

use super::*;
use crate::domain::Status::{self, Cancelled, Failed, Succeeded, Won};

fn alipay_trade() -> Vec<Sent> {
    let paid = ("gmt_payment", "2026-11-20 07:00:20");
    let refund = |key: &str, sum: &str, at: &str, status: &str| {
        alipay(&[
            paid,
            ("trade_status", status),
            ("out_biz_no", key),
            ("refund_fee", sum),
            ("gmt_refund", at),
        ])
    };
    vec![
        alipay(&[("trade_status", "WAIT_BUYER_PAY")]),
        alipay(&[
            paid,
            ("trade_status", "TRADE_SUCCESS"),
            ("fund_bill_list", r#"[{"amount":"100.00","fundChannel":"BANKCARD"}]"#),
        ]),
        refund("r1", "10.00", "2026-11-20 07:10:00.5", "TRADE_SUCCESS"),
        refund("r2", "30.00", "2026-11-20 07:20:00.25", "TRADE_SUCCESS"),
        refund("r3", "100.00", "2026-11-20 07:30:00.125", "TRADE_CLOSED"),
        // Told of once more under the order's number, with the same sum: nothing was given back.
        alipay(&[
            paid,
            ("trade_status", "TRADE_FINISHED"),
            ("refund_fee", "30.00"),
            ("gmt_refund", "2026-11-20 07:20:00.25"),
        ]),
    ]
}

fn wechat_refund() -> Vec<Sent> {
    let resource = |status: &str, at: Option<&str>| {
        let mut resource = json!({
            "mchid": "1900000109", "out_trade_no": "o1", "transaction_id": "t1", "refund_id": "503",
            "out_refund_no": "r1", "refund_status": status, "amount": { "total": 100, "refund": 40 },
        });
        if let Some(at) = at {
            resource["success_time"] = json!(at);
        }
        resource
    };
    vec![
        wechat("REFUND.ABNORMAL", "refund", "2026-11-20T01:00:02+08:00", &resource("ABNORMAL", None)),
        wechat(
            "REFUND.SUCCESS",
            "refund",
            "2026-11-20T05:00:02+08:00",
            &resource("SUCCESS", Some("2026-11-20T05:00:00+08:00")),
        ),
        sent("wechat/payment_success"),
    ]
}

fn intent(id: &str, status: &str, more: &Value) -> Value {
    let mut object = json!({
        "id": id, "object": "payment_intent", "amount": 500, "amount_received": 0, "currency": "jpy",
        "status": status, "created": CLOCK_S - 600, "latest_charge": null, "metadata": {},
        "last_payment_error": null, "payment_method_types": ["card"],
    });
    merge(&mut object, more.clone());
    object
}

fn charge(id: &str, status: &str, more: &Value) -> Value {
    let mut object = json!({
        "id": id, "object": "charge", "amount": 500, "amount_captured": 0, "captured": true, "currency": "jpy",
        "status": status, "created": CLOCK_S - 500, "payment_intent": "pi_1", "metadata": {}, "outcome": {},
        "payment_method_details": { "type": "card", "card": { "brand": "jcb" } },
    });
    merge(&mut object, more.clone());
    object
}

fn stripe_payment() -> Vec<Sent> {
    let at = CLOCK_S - 400;
    let refund = |status: &str| {
        json!({
            "id": "re_1", "object": "refund", "amount": 200, "currency": "jpy", "status": status,
            "created": at + 20, "charge": "ch_2", "payment_intent": "pi_1", "metadata": { "order_id": "o1" },
        })
    };
    let error = |more: Value| json!({ "last_payment_error": more });
    let failed = json!({ "outcome": { "reason": "expired_card" }, "failure_code": "card_declined" });
    let declined =
        error(json!({ "code": "card_declined", "decline_code": "expired_card", "charge": "ch_1" }));
    vec![
        stripe(
            "payment_intent.created",
            "evt_01",
            at,
            &intent("pi_1", "requires_payment_method", &json!({})),
        ),
        stripe(
            "payment_intent.payment_failed",
            "evt_02",
            at + 1,
            &intent(
                "pi_1",
                "requires_payment_method",
                &error(json!({ "code": "payment_intent_authentication_failure" })),
            ),
        ),
        stripe("charge.failed", "evt_03", at + 5, &charge("ch_1", "failed", &failed)),
        stripe(
            "payment_intent.payment_failed",
            "evt_04",
            at + 5,
            &intent("pi_1", "requires_payment_method", &declined),
        ),
        stripe(
            "payment_intent.requires_action",
            "evt_05",
            at + 8,
            &intent("pi_1", "requires_action", &json!({ "latest_charge": "ch_1" })),
        ),
        stripe(
            "charge.succeeded",
            "evt_06",
            at + 10,
            &charge("ch_2", "succeeded", &json!({ "amount_captured": 500 })),
        ),
        stripe(
            "payment_intent.succeeded",
            "evt_07",
            at + 10,
            &intent("pi_1", "succeeded", &json!({ "latest_charge": "ch_2", "amount_received": 500 })),
        ),
        stripe(
            "checkout.session.completed",
            "evt_08",
            at + 11,
            &json!({ "id": "cs_1", "object": "checkout.session", "payment_intent": "pi_1", "client_reference_id": "o1" }),
        ),
        stripe("refund.created", "evt_09", at + 20, &refund("pending")),
        stripe(
            "charge.refunded",
            "evt_10",
            at + 20,
            &charge("ch_2", "succeeded", &json!({ "amount_captured": 500, "amount_refunded": 200 })),
        ),
        stripe("refund.updated", "evt_11", at + 25, &refund("succeeded")),
    ]
}

fn adyen_payment() -> Vec<Sent> {
    let item = |event: &str, success: bool, psp: &str, original: &str, minute: u32, more: Value| {
        adyen(vec![adyen_item(
            event,
            success,
            psp,
            original,
            &format!("2026-11-19T20:{minute:02}:00Z"),
            more,
        )])
    };
    let amount = |value: i64| json!({ "amount": { "value": value } });
    vec![
        item("AUTHORISATION", true, "P1", "", 1, json!({ "additionalData": { "shopperReference": "s1" } })),
        item("CAPTURE", true, "C1", "P1", 5, amount(600)),
        item("CAPTURE", true, "C2", "P1", 6, amount(400)),
        item("CAPTURE_FAILED", true, "C2", "P1", 9, amount(400)),
        item("REFUND", true, "R1", "P1", 20, amount(100)),
        item("REFUND_FAILED", true, "R1", "P1", 30, amount(100)),
        item("NOTIFICATION_OF_CHARGEBACK", true, "D1", "P1", 40, json!({ "reason": "Fraud" })),
        item("CHARGEBACK", true, "D1", "P1", 45, json!({ "reason": "Fraud" })),
        item("CHARGEBACK_REVERSED", true, "D1", "P1", 50, json!({})),
        item(
            "AUTHORISATION",
            false,
            "P2",
            "",
            2,
            json!({ "reason": "Refused", "additionalData": { "refusalReasonRaw": "51 : Insufficient funds" } }),
        ),
    ]
}

fn hyperswitch_payment() -> Vec<Sent> {
    let object = |status: &str, second: u32| {
        json!({
            "payment_id": "pay_1", "status": status, "amount": 100, "currency": "EUR", "connector": "adyen",
            "created": "2026-11-19T20:00:00Z", "updated": format!("2026-11-19T20:00:{second:02}Z"),
            "error_code": if status == "failed" { json!("51") } else { Value::Null },
        })
    };
    vec![
        hyperswitch("payment_processing", "payment_details", &object("processing", 1)),
        hyperswitch("payment_failed", "payment_details", &object("failed", 2)),
        hyperswitch("action_required", "payment_details", &object("requires_customer_action", 3)),
        hyperswitch("payment_succeeded", "payment_details", &object("succeeded", 4)),
        sent("hyperswitch/refund_succeeded"),
    ]
}

static STORIES: LazyLock<Vec<Vec<Sent>>> = LazyLock::new(|| {
    vec![alipay_trade(), wechat_refund(), stripe_payment(), adyen_payment(), hyperswitch_payment()]
});

/// What a story comes to.
fn ends(story: &[Sent]) -> Vec<(String, Status, i64)> {
    let rows = rows_after(story).into_iter();
    rows.map(|row| (row.transaction_id, row.status, row.amount.minor())).collect()
}

#[test]
fn stories_end_as_they_should() {
    let [alipay, wechat, stripe, adyen, hyperswitch] = STORIES.as_slice() else { panic!() };
    let end = |id: &str, status, minor| (id.to_owned(), status, minor);
    assert_eq!(
        ends(alipay),
        [
            end("2026T1", Succeeded, 10_000),
            end("2026T1/A1", Cancelled, 0),
            end("2026T1/r1", Succeeded, 1_000),
            end("2026T1/r2", Succeeded, 2_000),
            end("2026T1/r3", Succeeded, 7_000),
        ]
    );
    assert_eq!(
        ends(wechat),
        [end("4200000001202611200000000001", Succeeded, 12_800), end("503", Succeeded, 40)]
    );
    assert_eq!(
        ends(stripe),
        [
            end("evt_02", Failed, 500),
            end("pi_1/ch_1", Failed, 500),
            end("pi_1/ch_2", Succeeded, 500),
            end("re_1", Succeeded, 200),
        ]
    );
    assert_eq!(
        ends(adyen),
        [end("D1", Won, 1_000), end("P1", Succeeded, 600), end("P2", Failed, 1_000), end("R1", Failed, 100)]
    );
    assert_eq!(ends(hyperswitch), [end("pay_1", Succeeded, 100), end("ref_syn_1", Succeeded, 2_800)]);
}

#[test]
fn trap_alipay_refunds_in_every_order() {
    let story = &STORIES[0];
    let whole = rows_after(story);
    let mut order: Vec<usize> = (0..story.len()).collect();
    // Heap's way through all 720 orders.
    let mut counters = vec![0; order.len()];
    let mut at = 0;
    while at < order.len() {
        if counters[at] < at {
            let with = if at % 2 == 0 { 0 } else { counters[at] };
            order.swap(with, at);
            assert_eq!(rows_after(order.iter().map(|index| &story[*index])), whole, "{order:?}");
            counters[at] += 1;
            at = 0;
        } else {
            counters[at] = 0;
            at += 1;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]
    #[test]
    fn any_order_twice_and_in_halves_ends_the_same(
        which in 0..5_usize,
        picks in prop::collection::vec(any::<prop::sample::Index>(), 0..24),
    ) {
        let story = &STORIES[which];
        let whole = rows_after(story);
        // Some of it in any order and repeated, then what is missing from the back: nothing is left out.
        let some = picks.iter().map(|pick| pick.index(story.len()));
        let order: Vec<usize> = some.chain((0..story.len()).rev()).collect();
        prop_assert_eq!(rows_after(order.iter().map(|index| &story[*index])), whole);
    }
}

#[test]
fn trap_a_date_that_is_not_signed_makes_no_second_payment() {
    let item = |date: &str| adyen(vec![adyen_item("AUTHORISATION", true, "P1", "", date, json!({}))]);
    let rows = rows_after([
        &item("2026-11-19T20:00:00Z"),
        &item("2026-11-12T20:00:00Z"),
        &item("2026-11-20T01:00:00Z"),
    ]);
    assert_eq!(rows.len(), 1, "{rows:#?}");
    assert_eq!(rows[0].created_at.to_rfc3339(), "2026-11-19T20:00:00+00:00");
}

#[test]
fn a_payment_that_crosses_midnight_stays_one() {
    let capture = adyen(vec![adyen_item("CAPTURE", true, "C1", "P1", "2026-11-20T00:01:00Z", json!({}))]);
    let began = adyen(vec![adyen_item("AUTHORISATION", true, "P1", "", "2026-11-19T23:59:00Z", json!({}))]);
    for order in [[&capture, &began], [&began, &capture]] {
        let rows = rows_after(order);
        assert_eq!((rows.len(), rows[0].status), (1, Status::Succeeded));
    }
}
