//! Every sample of a notice, with the values that it must give.

use super::*;
use crate::domain::{FailureClass, Kind, Scene, Status};

fn at(text: &str) -> Instant {
    text.parse().unwrap()
}

fn only(sent: &Sent) -> Transaction {
    let mut rows = sent.rows();
    assert_eq!(rows.len(), 1, "{rows:#?}");
    rows.remove(0)
}

fn worth(row: &Transaction) -> (Kind, Status, i64, &'static str) {
    (row.kind, row.status, row.amount.minor(), row.amount.currency().code())
}

#[test]
fn wechat_payment_success() {
    let row = only(&sent("wechat/payment_success"));
    assert_eq!(worth(&row), (Kind::Payment, Status::Succeeded, 12_800, "CNY"));
    assert_eq!(row.transaction_id, "4200000001202611200000000001");
    assert_eq!(row.order_id.as_deref(), Some("SYN20261120000001"));
    assert_eq!(row.created_at, at("2026-11-19T16:00:00Z"));
    assert_eq!((row.completed_at, row.updated_at), (Some(row.created_at), Some(row.created_at)));
    assert_eq!((row.account.as_str(), row.terminal.as_deref()), ("1900000109", Some("POS-01")));
    assert_eq!((row.method.unwrap().as_str(), row.scene), ("wechat_pay", None));
    assert_eq!(row.customer, Some(PSEUDONYMS.of("customer", "wechat_pay", "oSYN_user_A")));
    assert_eq!((row.fee, row.discount_merchant), (None, None), "unknown is not 0");
}

#[test]
fn wechat_payment_coupon() {
    let row = only(&sent("wechat/payment_coupon"));
    assert_eq!(worth(&row), (Kind::Payment, Status::Succeeded, 10_000, "CNY"));
    assert_eq!(row.discount_merchant, Some(1_000));
    assert_eq!(row.list_amount, Some(10_000));
}

#[test]
fn wechat_refunds() {
    let row = only(&sent("wechat/refund_success"));
    assert_eq!(worth(&row), (Kind::Refund, Status::Succeeded, 2_800, "CNY"));
    assert_eq!(row.transaction_id, "50300000012026112000000000001");
    assert_eq!(row.parent_transaction_id.as_deref(), Some("4200000001202611200000000001"));
    assert_eq!(
        (row.created_at, row.completed_at),
        (at("2026-11-20T07:00:00Z"), Some(at("2026-11-20T07:00:00Z")))
    );
    let row = only(&sent("wechat/refund_abnormal"));
    assert_eq!(worth(&row), (Kind::Refund, Status::Failed, 10_000, "CNY"));
    assert_eq!(row.failure_code.as_deref(), Some("ABNORMAL"));
    assert_eq!(row.created_at, at("2026-11-20T07:00:02Z"));
}

#[test]
fn wechat_where_the_money_went_is_dropped() {
    for name in ["wechat/refund_success", "wechat/refund_abnormal"] {
        let said = format!("{:?}", sent(name).read());
        assert!(!said.contains("招商") && !said.contains("0403"), "{said}");
    }
    assert!(!format!("{:?}", sent("wechat/payment_success").read()).contains("oSYN"));
}

#[test]
fn wechat_sealed_fixtures_of_real_merchants_open() {
    for name in ["transaction", "refund"] {
        let Some(body) = sample(&format!("wechat/notify/real_v3_{name}_notify.body.json")) else { return };
        let plain = sample(&format!("wechat/notify/real_v3_{name}_notify.plaintext.json")).unwrap();
        let resource = serde_json::from_slice::<Value>(&body).unwrap()["resource"].clone();
        let text = |name: &str| resource[name].as_str().unwrap();
        let sealed = STANDARD.decode(text("ciphertext")).unwrap();
        let key = b"AES256Key-32Characters1234567890";
        let opened = wechat_pay::open(key, text("nonce"), text("associated_data"), &sealed).unwrap();
        let read = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap();
        assert_eq!(read(&opened), read(&plain));
        assert!(
            wechat_pay::open(b"AES256Key-32Characters1234567891", text("nonce"), name, &sealed).is_none()
        );
    }
}

#[test]
fn wechat_other_kinds_of_notices_are_accepted_and_passed_over() {
    let resource = json!({ "mchid": "1900000109", "out_order_no": "1" });
    let reading = wechat("PAYSCORE.USER_PAID", "payscore", "2026-11-20T08:00:00+08:00", &resource).read();
    assert_eq!((reading.passed_over, reading.transactions.len(), reading.unread_fields), (1, 0, 2));
}

#[test]
fn alipay_trade_success() {
    let row = only(&sent("alipay/trade_success"));
    assert_eq!(worth(&row), (Kind::Payment, Status::Succeeded, 12_800, "CNY"));
    assert_eq!(row.transaction_id, "2026112022001400000000000001");
    assert_eq!(row.order_id.as_deref(), Some("SYNA20261120000001"));
    assert_eq!(
        (row.created_at, row.completed_at),
        (at("2026-11-20T00:00:01Z"), Some(at("2026-11-20T00:00:20Z")))
    );
    assert_eq!(row.method_detail.wallet.as_deref(), Some("pcredit"));
    assert_eq!(row.customer, Some(PSEUDONYMS.of("customer", "alipay", "2088000000009999")));
    let said = format!("{:?}", sent("alipay/trade_success").read());
    assert!(!said.contains("138") && !said.contains("2088000000009999"), "{said}");
}

#[test]
fn alipay_refunds_are_the_difference_of_sums() {
    let rows = rows_after([
        &sent("alipay/trade_success"),
        &sent("alipay/partial_refund"),
        &sent("alipay/full_refund_closed"),
    ]);
    let worths: Vec<_> = rows.iter().map(|row| (row.transaction_id.as_str(), worth(row))).collect();
    assert_eq!(
        worths,
        [
            ("2026112022001400000000000001", (Kind::Payment, Status::Succeeded, 12_800, "CNY")),
            (
                "2026112022001400000000000001/SYNAR20261120000001",
                (Kind::Refund, Status::Succeeded, 2_800, "CNY")
            ),
            (
                "2026112022001400000000000001/SYNAR20261120000003",
                (Kind::Refund, Status::Succeeded, 10_000, "CNY")
            ),
        ]
    );
    assert_eq!(rows[1].created_at, at("2026-11-20T08:20:00.123Z"));
    assert_eq!(rows[1].parent_transaction_id.as_deref(), Some("2026112022001400000000000001"));
}

#[test]
fn alipay_sandbox_notice_is_proved_by_its_certificate() {
    let Some(body) = sample("alipay/notify/real_rsa2_trade_success.form.txt") else { return };
    let pem = String::from_utf8(sample("alipay/notify/real_alipayPublicCert.crt").unwrap()).unwrap();
    let entered = read_secret(Provider::Alipay, SecretKind::PublicKey, "", &pem).unwrap();
    assert_eq!(entered.name, "2023060769B99529DC18B16AC12FD695");
    let keys = Keys(vec![key(SecretKind::PublicKey, &entered.name, entered.secret.reveal())]);
    let context = EndpointContext {
        account: "2088721003899159",
        app_id: "9021000122682882",
        ..context(Provider::Alipay)
    };
    let headers = NoticeHeaders::default();
    let notice = Notice { headers: &headers, body: &body, forwarded: false, now: clock() };
    let reading = prove(Provider::Alipay, &notice, &keys, &context).unwrap().read(&context);
    let rows = derive(Provider::Alipay, &reading.facts, &context).unwrap();
    assert_eq!(worth(&rows[0].0), (Kind::Payment, Status::Succeeded, 1, "CNY"));
    assert_eq!(rows[0].0.created_at, at("2023-12-21T08:26:32Z"));
    let other = EndpointContext { app_id: "2021000000000001", ..context };
    assert_eq!(prove(Provider::Alipay, &notice, &keys, &other).unwrap_err(), Unverified::OtherAccount);
}

#[test]
fn stripe_charge_intent_and_session_are_one_payment() {
    let names = [
        "charge_succeeded",
        "payment_intent_succeeded",
        "checkout_session_completed",
        "charge_refunded_partial",
    ];
    let sents: Vec<Sent> = names.iter().map(|name| sent(&format!("stripe/{name}"))).collect();
    let rows = rows_after(&sents);
    assert_eq!(rows.len(), 1, "{rows:#?}");
    let row = &rows[0];
    assert_eq!(worth(row), (Kind::Payment, Status::Succeeded, 12_800, "USD"));
    assert_eq!(row.provider_transaction_id.as_deref(), Some("ch_syn_1"));
    assert_eq!((row.payment_id.as_deref(), row.order_id.as_deref()), (Some("pi_syn_1"), Some("SYNS0001")));
    assert_eq!(row.created_at.timestamp(), 1_795_132_750);
    assert_eq!(row.completed_at.unwrap().timestamp(), CLOCK_S);
    let detail = &row.method_detail;
    assert_eq!((detail.card_brand.as_deref(), detail.funding.as_deref()), (Some("visa"), Some("credit")));
    assert_eq!((detail.wallet.as_deref(), row.method.unwrap().as_str()), (Some("apple_pay"), "card"));
    assert_eq!(row.fee, None, "no fee is told of");
    assert!(row.test, "livemode is false");
}

#[test]
fn stripe_amounts_are_whole_minor_units() {
    for (name, minor, code) in [("", 12_800, "USD"), ("_jpy", 500, "JPY"), ("_kwd", 5_120, "KWD")] {
        let row = only(&sent(&format!("stripe/payment_intent_succeeded{name}")));
        assert_eq!(worth(&row), (Kind::Payment, Status::Succeeded, minor, code));
    }
}

#[test]
fn stripe_failed_attempt_has_the_issuers_reason() {
    let row = only(&sent("stripe/payment_intent_payment_failed"));
    assert_eq!(worth(&row), (Kind::Payment, Status::Failed, 12_800, "USD"));
    assert_eq!(row.failure_code.as_deref(), Some("insufficient_funds"));
    assert_eq!(row.failure_class, Some(FailureClass::Customer));
    assert_eq!(row.provider_transaction_id.as_deref(), Some("ch_syn_2"));
}

#[test]
fn stripe_refunds_and_disputes() {
    let row = only(&sent("stripe/refund_created"));
    assert_eq!(worth(&row), (Kind::Refund, Status::Succeeded, 2_800, "USD"));
    assert_eq!(row.transaction_id, "re_syn_1");
    let payment = only(&sent("stripe/charge_succeeded"));
    assert_eq!(row.parent_transaction_id.as_ref(), Some(&payment.transaction_id));
    let row = only(&sent("stripe/refund_failed"));
    assert_eq!(worth(&row), (Kind::Refund, Status::Failed, 1_000, "USD"));
    assert_eq!(row.failure_code.as_deref(), Some("lost_or_stolen_card"));
    let row = only(&sent("stripe/dispute_created"));
    assert_eq!(worth(&row), (Kind::Dispute, Status::EvidenceDue, 12_800, "USD"));
    assert_eq!((row.fee, row.failure_code.as_deref()), (Some(1_500), Some("10.4")));
    assert_eq!(row.parent_transaction_id, Some(payment.transaction_id));
}

#[test]
fn stripe_payout_is_a_ledger_line() {
    let object = json!({
        "id": "po_1", "object": "payout", "amount": 1100, "currency": "usd", "status": "paid",
        "created": CLOCK_S - 5, "arrival_date": CLOCK_S, "balance_transaction": "txn_1",
    });
    let mut world = World::default();
    world.take(&stripe("payout.paid", "evt_1", CLOCK_S, &object));
    let line = &world.lines[0];
    assert_eq!(
        (line.kind.as_str(), line.direction.as_str(), line.gross, line.net),
        ("payout", "out", 1100, Some(-1100))
    );
    assert_eq!(line.line_id, "txn_1", "as in the balance report");
    assert_eq!((line.payout_id.as_deref(), line.status), (Some("po_1"), Status::Succeeded));
    assert!(world.rows().is_empty());
}

#[test]
fn stripe_objects_of_the_api_are_understood() {
    for (name, rows) in
        [("charge", 1), ("refund", 1), ("dispute", 1), ("payment_intent", 0), ("checkout.session", 0)]
    {
        let Some(bytes) = sample(&format!("stripe/objects/{name}.json")) else { return };
        let object: Value = serde_json::from_slice(&bytes).unwrap();
        let mut world = World::default();
        world.take(&stripe("x.updated", "evt_1", CLOCK_S, &object));
        assert_eq!((world.rows().len(), &world.faults), (rows, &Vec::new()), "{name}");
    }
    let Some(bytes) = sample("stripe/objects/event.json") else { return };
    let object: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(object["object"], "event");
}

#[test]
fn adyen_signatures_of_odd_references_hold() {
    for name in ["backslash", "colon", "forwardslash", "mixed"] {
        let Some(bytes) = sample(&format!("adyen/webhook/hmac_valid_{name}_notification.json")) else {
            return;
        };
        let item: Value = serde_json::from_slice(&bytes).unwrap();
        let mut sent = adyen(vec![item]);
        let row = only(&sent);
        assert_eq!(worth(&row), (Kind::Payment, Status::Succeeded, 1_000, "EUR"), "{name}");
        assert_eq!(
            (row.method.unwrap().as_str(), row.method_detail.card_brand.as_deref()),
            ("card", Some("visa"))
        );
        assert!(
            row.failure_message.is_none() && row.failure_code.is_none(),
            "the reason has digits of the card"
        );
        sent.body =
            String::from_utf8(sent.body).unwrap().replace("\"value\":1000", "\"value\":1001").into_bytes();
        assert_eq!(sent.prove().unwrap_err(), Unverified::SignatureWrong);
    }
}

#[test]
fn hyperswitch_samples() {
    let row = only(&sent("hyperswitch/payment_succeeded"));
    assert_eq!(worth(&row), (Kind::Payment, Status::Succeeded, 12_800, "EUR"));
    assert_eq!((row.provider.unwrap().as_str(), row.aggregator.unwrap().as_str()), ("adyen", "hyperswitch"));
    assert_eq!(row.provider_transaction_id.as_deref(), Some("SYN0000000000001"));
    assert_eq!((row.order_id.as_deref(), row.attempt), (Some("SYNH0001"), Some(1)));
    assert_eq!(row.updated_at, Some(at("2026-11-20T00:00:01Z")));
    assert_eq!(row.method_detail.card_brand.as_deref(), Some("visa"));
    let row = only(&sent("hyperswitch/payment_failed"));
    assert_eq!((row.status, row.failure_code.as_deref()), (Status::Failed, Some("card_declined")));
    assert_eq!((row.provider.unwrap().as_str(), row.failure_class), ("stripe", Some(FailureClass::Issuer)));
    let row = only(&sent("hyperswitch/refund_succeeded"));
    assert_eq!(worth(&row), (Kind::Refund, Status::Succeeded, 2_800, "EUR"));
    assert_eq!(row.parent_transaction_id.as_deref(), Some("pay_syn_1"));
    let row = only(&sent("hyperswitch/dispute_opened"));
    assert_eq!(worth(&row), (Kind::Dispute, Status::Opened, 12_800, "EUR"), "the amount is a text");
    let reading = sent("hyperswitch/unknown_event").read();
    assert_eq!((reading.passed_over, reading.faults.len()), (1, 0));
}

#[test]
fn hyperswitch_second_form_is_told_by_its_amount() {
    let object = json!({
        "id": "pay_2", "status": "requires_customer_action", "connector": "stripe",
        "amount": { "order_amount": 500, "net_amount": 600, "currency": "JPY" },
        "created": "2026-11-19T23:00:00Z", "modified_at": "2026-11-19T23:00:05Z",
        "merchant_reference_id": "o-2", "connector_payment_id": "pi_2",
    });
    let row = only(&hyperswitch("action_required", "payment_details", &object));
    assert_eq!(worth(&row), (Kind::Payment, Status::ActionRequired, 500, "JPY"));
    assert_eq!(
        (row.order_id.as_deref(), row.provider_transaction_id.as_deref()),
        (Some("o-2"), Some("pi_2"))
    );
}

#[test]
fn scenes_of_wechat_pay() {
    for (trade_type, scene) in [
        ("MICROPAY", Some(Scene::Scanner)),
        ("FACEPAY", Some(Scene::Face)),
        ("APP", Some(Scene::App)),
        ("MWEB", Some(Scene::H5)),
        ("NATIVE", Some(Scene::Web)),
        ("JSAPI", None),
        ("WHATEVER", None),
    ] {
        let resource = json!({
            "sp_mchid": "1", "sub_mchid": "1900000109", "out_trade_no": "o", "transaction_id": "t",
            "trade_type": trade_type, "trade_state": "SUCCESS", "success_time": "2026-11-20T00:00:00+08:00",
            "amount": { "total": 1 }, "payer": { "sp_openid": "a", "sub_openid": "b" },
        });
        let row = only(&wechat("TRANSACTION.SUCCESS", "transaction", "2026-11-20T00:00:00+08:00", &resource));
        assert_eq!(row.scene, scene, "{trade_type}");
        assert_eq!(row.customer, Some(PSEUDONYMS.of("customer", "wechat_pay", "b")));
    }
}
