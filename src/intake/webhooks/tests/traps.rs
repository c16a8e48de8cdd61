//! The traps of providers' notices, each by name.

use super::*;
use crate::domain::{Kind, Status};

#[test]
fn trap_callbacks_are_in_fen_and_bills_in_yuan() {
    assert_eq!(sent("wechat/payment_success").rows()[0].amount.minor(), 12_800);
    assert_eq!(sent("alipay/trade_success").rows()[0].amount.minor(), 12_800);
}

#[test]
fn trap_trade_closed_has_two_meanings() {
    let unpaid = sent("alipay/timeout_closed").rows();
    assert_eq!((unpaid.len(), unpaid[0].status), (1, Status::Expired));
    assert_eq!(unpaid[0].completed_at.unwrap().to_rfc3339(), "2026-11-20T00:30:01+00:00");
    let refunded = sent("alipay/full_refund_closed").rows();
    let ends: Vec<_> = refunded.iter().map(|row| (row.kind, row.status, row.amount.minor())).collect();
    assert_eq!(ends, [(Kind::Payment, Status::Succeeded, 12_800), (Kind::Refund, Status::Succeeded, 12_800)]);
}

#[test]
fn trap_refund_fee_is_a_sum() {
    let full = sent("alipay/full_refund_closed");
    let partial = sent("alipay/partial_refund");
    let amounts = |order: [&Sent; 2]| {
        let rows = rows_after(order).into_iter().filter(|row| row.kind == Kind::Refund);
        rows.map(|row| row.amount.minor()).collect::<Vec<_>>()
    };
    assert_eq!(amounts([&partial, &full]), [2_800, 10_000]);
    assert_eq!(amounts([&full, &partial]), [2_800, 10_000], "the later one came first");
}

#[test]
fn trap_amount_refunded_is_a_sum_and_makes_no_row() {
    let rows = sent("stripe/charge_refunded_partial").rows();
    assert_eq!((rows.len(), rows[0].kind, rows[0].status), (1, Kind::Payment, Status::Succeeded));
}

#[test]
fn trap_payment_failed_is_one_attempt_and_not_the_end() {
    let rows =
        rows_after([&sent("stripe/payment_intent_payment_failed"), &sent("stripe/payment_intent_succeeded")]);
    let ends: Vec<_> = rows.iter().map(|row| row.status).collect();
    assert_eq!(ends, [Status::Succeeded, Status::Failed]);
}

#[test]
fn trap_sign_type_and_empty_values_are_not_signed() {
    let mut sent = sent("alipay/trade_success");
    let mut text = String::from_utf8(sent.body.clone()).unwrap();
    assert!(text.contains("&body=&"), "an empty value is in the sample");
    text = text.replace("&body=", "").replace("&sign_type=RSA2", "").trim().to_owned() + "&alipay_cert_sn=0a";
    sent.body = text.into_bytes();
    assert!(sent.prove().is_ok(), "what is not signed may go or come");
    sent.body = [sent.body, b"&sign_type=RSA".to_vec()].concat();
    assert_eq!(sent.prove().unwrap_err(), Unverified::SignatureKind);
}

#[test]
fn trap_a_plus_in_a_form_is_a_space() {
    let sent = sent("alipay/trade_success");
    let text = String::from_utf8(sent.body.clone()).unwrap();
    assert!(text.contains('+') && text.contains("%2B"));
    let wrong = Sent { body: text.replace('+', "%2B").into_bytes(), ..sent };
    assert_eq!(wrong.prove().unwrap_err(), Unverified::SignatureWrong);
}

#[test]
fn trap_a_form_in_gbk_is_signed_as_gbk() {
    let (subject, ..) = encoding_rs::GBK.encode("咖啡礼盒");
    let fields: [(&str, &[u8]); 11] = [
        ("app_id", b"2021000000000001"),
        ("seller_id", b"2088000000000001"),
        ("charset", b"GBK"),
        ("notify_type", b"trade_status_sync"),
        ("trade_no", b"T9"),
        ("out_trade_no", "账单".as_bytes()),
        ("total_amount", b"1.00"),
        ("trade_status", b"TRADE_SUCCESS"),
        ("gmt_create", b"2026-11-20 07:00:00"),
        ("gmt_payment", b"2026-11-20 07:00:01"),
        ("subject", &subject),
    ];
    let mut fields = fields.to_vec();
    let (order, ..) = encoding_rs::GBK.encode("账单7");
    fields[5].1 = &order;
    let rows = alipay_bytes(&fields).rows();
    assert_eq!(rows[0].order_id.as_deref(), Some("账单7"));
    // The same bytes said to be UTF-8 are proved, and are no text.
    fields[2].1 = b"utf-8";
    assert_eq!(alipay_bytes(&fields).prove().unwrap_err(), Unverified::Malformed);
    fields[2].1 = b"big5";
    assert_eq!(alipay_bytes(&fields).prove().unwrap_err(), Unverified::Malformed);
}

#[test]
fn trap_a_name_twice_in_a_form_is_no_form() {
    let sent = sent("alipay/trade_success");
    let twice = Sent { body: [&sent.body[..], b"&trade_no=1"].concat(), ..sent };
    assert_eq!(twice.prove().unwrap_err(), Unverified::Malformed);
}

#[test]
fn trap_beijing_times_have_no_offset() {
    let row = &sent("alipay/trade_success").rows()[0];
    assert_eq!(row.created_at.to_rfc3339(), "2026-11-20T00:00:01+00:00");
}

#[test]
fn trap_refunds_of_wechat_pay_name_no_currency() {
    let row = &sent("wechat/refund_success").rows()[0];
    assert_eq!(row.amount.currency().code(), "CNY");
}

#[test]
fn trap_success_of_adyen_is_a_text() {
    let item = |success: bool| {
        let more = json!({ "reason": "Refused" });
        adyen(vec![adyen_item("AUTHORISATION", success, "P1", "", "2026-11-19T20:00:00Z", more)])
            .rows()
            .remove(0)
    };
    assert_eq!(item(true).status, Status::Succeeded);
    let failed = item(false);
    assert_eq!((failed.status, failed.failure_message.as_deref()), (Status::Failed, Some("Refused")));
}

#[test]
fn an_authorised_payment_is_paid_when_it_is_captured_where_the_shop_captures_by_hand() {
    let auth = adyen(vec![adyen_item("AUTHORISATION", true, "P1", "", "2026-11-19T20:00:00Z", json!({}))]);
    let reading = auth.read();
    let by_hand = EndpointContext { manual_capture: true, ..context(Provider::Adyen) };
    let rows = derive(Provider::Adyen, &reading.facts, &by_hand).unwrap();
    assert_eq!((rows[0].0.status, rows[0].0.completed_at), (Status::Authorized, None));
    let cancel = adyen(vec![adyen_item("CANCELLATION", true, "X1", "P1", "2026-11-19T21:00:00Z", json!({}))]);
    assert_eq!(rows_after([&auth, &cancel])[0].status, Status::Cancelled);
}

#[test]
fn trap_several_refunds_of_one_payment() {
    let refund = |id: &str, minor: i64| {
        let resource = json!({
            "mchid": "1900000109", "out_trade_no": "o1", "transaction_id": "t1", "refund_id": id,
            "out_refund_no": id, "refund_status": "SUCCESS", "success_time": "2026-11-20T05:00:00+08:00",
            "amount": { "total": 100, "refund": minor },
        });
        wechat("REFUND.SUCCESS", "refund", "2026-11-20T05:00:02+08:00", &resource)
    };
    let rows = rows_after([&refund("503", 10), &refund("504", 20)]);
    assert_eq!(rows.iter().map(|row| row.amount.minor()).collect::<Vec<_>>(), [10, 20]);
}

#[test]
fn trap_net_amount_of_hyperswitch_is_not_net_of_fees() {
    let row = &sent("hyperswitch/payment_succeeded").rows()[0];
    assert_eq!((row.amount.minor(), row.fee), (12_800, None));
}

#[test]
fn trap_card_numbers_are_refused_wherever_they_stand() {
    let object = json!({
        "payment_id": "pay_1", "status": "failed", "amount": 100, "currency": "EUR",
        "created": "2026-11-19T20:00:00Z", "error_message": "card 4111111111111111 declined",
    });
    let reading = hyperswitch("payment_failed", "payment_details", &object).read();
    assert!(reading.transactions.is_empty());
    assert_eq!(reading.faults[0].1, Fault { field: "failure_message", code: FaultCode::CardNumber });
}

#[test]
fn what_cannot_be_read_is_named_and_the_others_are_taken() {
    let good = adyen_item("AUTHORISATION", true, "P1", "", "2026-11-19T20:00:00Z", json!({}));
    let bad = adyen_item(
        "AUTHORISATION",
        true,
        "P2",
        "",
        "2026-11-19T20:00:00Z",
        json!({ "amount": { "currency": "XXX" } }),
    );
    let late = adyen_item("REFUND", true, "R2", "P2", "2036-11-19T20:00:00Z", json!({}));
    let none = adyen_item("REPORT_AVAILABLE", true, "report.csv", "", "2026-11-19T20:00:00Z", json!({}));
    let reading = adyen(vec![bad, good, late, none]).read();
    assert_eq!((reading.facts.len(), reading.passed_over), (1, 1));
    let faults: Vec<_> =
        reading.faults.iter().map(|(event, fault)| (event.as_str(), fault.field, fault.code)).collect();
    assert_eq!(
        faults,
        [
            ("AUTHORISATION", "currency", FaultCode::UnknownCurrency),
            ("REFUND", "eventDate", FaultCode::OutOfRange)
        ]
    );
    for status in ["", "NEW_STATE"] {
        let resource = json!({
            "mchid": "1900000109", "out_trade_no": "o", "trade_state": status, "amount": { "total": 1 },
            "success_time": "2026-11-20T00:00:00+08:00",
        });
        let reading =
            wechat("TRANSACTION.SUCCESS", "transaction", "2026-11-20T00:00:00+08:00", &resource).read();
        assert_eq!(reading.faults[0].1.field, "trade_state");
    }
}

#[test]
fn fields_that_nobody_asked_for_are_counted() {
    let bare = hyperswitch(
        "payment_failed",
        "payment_details",
        &json!({
            "payment_id": "pay_1", "status": "succeeded", "amount": 100, "currency": "EUR", "created": "2026-11-19T20:00:00Z",
        }),
    );
    assert_eq!(bare.read().unread_fields, 0);
    assert!(sent("hyperswitch/payment_succeeded").read().unread_fields > 5);
    assert!(sent("alipay/trade_success").read().unread_fields > 5);
}

#[test]
fn trap_the_orchestrator_and_the_processor_behind_it_can_be_joined() {
    let told = sent("hyperswitch/payment_succeeded").rows().remove(0);
    let item = adyen_item("AUTHORISATION", true, "SYN0000000000001", "", "2026-11-20T00:00:00Z", json!({}));
    let own = adyen(vec![item]).rows().remove(0);
    assert_eq!(told.provider_transaction_id, own.provider_transaction_id);
    assert_eq!((told.provider, told.aggregator.is_some(), own.aggregator), (own.provider, true, None));
    assert_ne!(told.account, own.account);
}

#[test]
fn trap_a_coupon_makes_what_is_settled_less_than_the_order() {
    let row = &sent("wechat/payment_coupon").rows()[0];
    assert_eq!(
        (row.amount.minor(), row.list_amount, row.discount_merchant),
        (10_000, Some(10_000), Some(1_000))
    );
}
