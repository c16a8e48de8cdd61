//! What must not be believed.

use chrono::TimeDelta;

use super::*;

/// Every sample that proves itself.
pub fn good() -> Vec<Sent> {
    let item = adyen_item("AUTHORISATION", true, "P1", "", "2026-11-20T00:00:00Z", json!({}));
    let mut all: Vec<Sent> = [
        "wechat/payment_success",
        "wechat/refund_success",
        "wechat/refund_abnormal",
        "alipay/trade_success",
        "alipay/partial_refund",
        "alipay/timeout_closed",
        "stripe/charge_succeeded",
        "stripe/rotated_secret",
        "stripe/dispute_created",
        "hyperswitch/payment_failed",
        "hyperswitch/refund_succeeded",
    ]
    .map(sent)
    .into();
    all.push(adyen(vec![item]));
    all
}

#[test]
fn a_changed_byte_a_lost_end_and_other_spacing_are_not_believed() {
    for sent in good() {
        assert!(sent.prove().is_ok(), "{sent:?}");
        let mut changed = sent.clone();
        let at = changed.body.iter().rposition(u8::is_ascii_digit).unwrap();
        // A digit of Adyen's that is signed; elsewhere every byte is.
        let at = if sent.provider == Provider::Adyen {
            changed.body.windows(4).position(|w| w == b"1000").unwrap()
        } else {
            at
        };
        changed.body[at] ^= 1;
        assert!(changed.prove().is_err(), "changed: {:?}", sent.provider);
        for length in [0, 1, sent.body.len() / 2, sent.body.len() - 1] {
            let cut = Sent { body: sent.body[..length].to_vec(), ..sent.clone() };
            assert!(cut.prove().is_err(), "{length} bytes: {:?}", sent.provider);
        }
    }
}

#[test]
fn trap_a_body_that_was_parsed_and_written_again_is_not_the_one_that_was_signed() {
    for sent in good() {
        let spaced = match serde_json::from_slice::<Value>(&sent.body) {
            Ok(json) => serde_json::to_vec_pretty(&json).unwrap(),
            Err(_) => continue,
        };
        let again = Sent { body: [spaced, b"\n".to_vec()].concat(), ..sent.clone() };
        match sent.provider {
            // Signs named fields, so its JSON may be written anew.
            Provider::Adyen => assert!(again.prove().is_ok()),
            _ => assert_eq!(again.prove().unwrap_err(), Unverified::SignatureWrong, "{:?}", sent.provider),
        }
    }
}

#[test]
fn trap_probes_of_wechat_pay_fail_like_any_wrong_signature() {
    let mut probe = sent("wechat/payment_success");
    let headers: BTreeMap<String, String> =
        serde_json::from_slice(&fixture("wechat/synthetic_signature_probe.headers.json")).unwrap();
    for (name, value) in &mut probe.headers {
        if let Some((_, given)) = headers.iter().find(|(given, _)| given.eq_ignore_ascii_case(name)) {
            value.clone_from(given);
        }
    }
    assert!(probe.headers.iter().any(|(_, value)| value.starts_with("WECHATPAY/SIGNTEST/")));
    assert_eq!(probe.prove().unwrap_err(), Unverified::SignatureWrong);
}

#[test]
fn the_clock_may_be_off_by_five_minutes_either_way_and_more_for_a_copy() {
    for name in ["wechat/payment_success", "stripe/charge_succeeded"] {
        let sent = sent(name);
        for (seconds, is_forwarded, is_believed) in [
            (300, false, true),
            (-300, false, true),
            (301, false, false),
            (-301, false, false),
            (301, true, true),
            (72 * 3600, true, true),
            (72 * 3600 + 1, true, false),
            (-72 * 3600 - 1, true, false),
        ] {
            let proved = sent.prove_at(clock() + TimeDelta::seconds(seconds), is_forwarded);
            assert_eq!(proved.is_ok(), is_believed, "{name} {seconds} {is_forwarded}");
            assert!(is_believed || proved.unwrap_err() == Unverified::ClockOff);
        }
    }
}

#[test]
fn a_signature_under_another_time_is_wrong_not_late() {
    let mut sent = sent("stripe/charge_succeeded");
    sent.headers[0].1 = sent.headers[0].1.replace("t=1795132800", "t=1795132801");
    assert_eq!(sent.prove().unwrap_err(), Unverified::SignatureWrong);
}

#[test]
fn what_is_missing_or_of_another_kind_is_named() {
    for sent in good() {
        let bare = Sent { headers: Vec::new(), ..sent.clone() };
        match sent.provider {
            Provider::Alipay | Provider::Adyen => {}
            _ => assert_eq!(bare.prove().unwrap_err(), Unverified::SignatureMissing),
        }
        let headers = sent.headers();
        let notice = Notice { headers: &headers, body: &sent.body, forwarded: false, now: clock() };
        let proved = prove(sent.provider, &notice, &Keys::default(), &context(sent.provider));
        assert_eq!(proved.unwrap_err(), Unverified::NoKey);
    }
    let mut other = sent("wechat/payment_success");
    other.headers.retain(|(name, _)| *name != "wechatpay-signature-type");
    assert!(other.prove().is_ok(), "the type may be missing");
    other.headers.push(("wechatpay-signature-type", "WECHATPAY2-SM2-WITH-SM3".into()));
    assert_eq!(other.prove().unwrap_err(), Unverified::SignatureKind);
    let weaker = Sent {
        headers: vec![("x-webhook-signature-256", "00".into())],
        ..sent("hyperswitch/payment_failed")
    };
    assert_eq!(weaker.prove().unwrap_err(), Unverified::SignatureKind);
    assert_eq!(wechat_signed(b"{}".to_vec(), "1DE0").prove().unwrap_err(), Unverified::KeyUnknown);
    let unsigned = Sent { body: b"app_id=1&seller_id=2".to_vec(), ..sent("alipay/trade_success") };
    assert_eq!(unsigned.prove().unwrap_err(), Unverified::SignatureMissing);
}

#[test]
fn keys_are_found_by_serial_while_a_merchant_changes_them() {
    let body = serde_json::from_slice::<Value>(&sent("wechat/payment_success").body).unwrap();
    let body = body.to_string().into_bytes();
    let by = |serial: &str| {
        let sent = wechat_signed(body.clone(), serial);
        let mut keys = keys(Provider::WechatPay);
        keys.0[0].name = "5157F09EFDC096DE".into();
        let headers = sent.headers();
        let notice = Notice { headers: &headers, body: &sent.body, forwarded: false, now: clock() };
        prove(Provider::WechatPay, &notice, &keys, &context(Provider::WechatPay)).err()
    };
    assert_eq!(by("5157F09EFDC096DE"), None);
    assert_eq!(by("005157f09efdc096de"), None, "a serial is a number in hex");
    assert_eq!(by("PUB_KEY_ID_0119000001092026112000000000000001"), Some(Unverified::SignatureWrong));
    assert_eq!(by("PUB_KEY_ID_OTHER"), Some(Unverified::KeyUnknown));
}

#[test]
fn trap_a_secret_is_changed_while_both_are_in_force() {
    // One header with two signatures, of which the second is of our secret.
    assert!(sent("stripe/rotated_secret").prove().is_ok());
    let sent = sent("stripe/charge_succeeded");
    let headers = sent.headers();
    let notice = Notice { headers: &headers, body: &sent.body, forwarded: false, now: clock() };
    let of = |secrets: &[&str]| {
        let keys = secrets.iter().map(|secret| key(SecretKind::SigningSecret, secret, secret.as_bytes()));
        prove(Provider::Stripe, &notice, &Keys(keys.collect()), &context(Provider::Stripe))
    };
    let proved = of(&["whsec_new_0123456789abcdef", STRIPE_SECRET]).unwrap();
    assert_eq!(proved.keys_used(), [format!("signing_secret-{STRIPE_SECRET}")]);
    assert_eq!(of(&["whsec_new_0123456789abcdef"]).unwrap_err(), Unverified::SignatureWrong);
}

#[test]
fn another_merchants_notice_is_not_this_ones() {
    for sent in good().into_iter().filter(|sent| sent.provider != Provider::Stripe) {
        let headers = sent.headers();
        let notice = Notice { headers: &headers, body: &sent.body, forwarded: false, now: clock() };
        let other = EndpointContext { account: "other", ..context(sent.provider) };
        let proved = prove(sent.provider, &notice, &keys(sent.provider), &other);
        assert_eq!(proved.unwrap_err(), Unverified::OtherAccount, "{:?}", sent.provider);
    }
}

#[test]
fn what_is_sealed_under_another_key_does_not_open() {
    let sent = sent("wechat/payment_success");
    let mut keys = keys(Provider::WechatPay);
    keys.0.retain(|key| key.kind != SecretKind::ApiV3Key);
    keys.0.push(key(SecretKind::ApiV3Key, "", b"another-apiv3-key-0123456789abcd"));
    let headers = sent.headers();
    let notice = Notice { headers: &headers, body: &sent.body, forwarded: false, now: clock() };
    let proved = prove(Provider::WechatPay, &notice, &keys, &context(Provider::WechatPay));
    assert_eq!(proved.unwrap_err(), Unverified::NotOpened);
}

#[test]
fn trap_thin_events_are_refused_by_name() {
    let body = json!({ "id": "evt_1", "object": "v2.core.event", "type": "v1.billing.meter.no_meter_found" });
    let body = body.to_string().into_bytes();
    let header = format!("t={CLOCK_S},v1={}", stripe_signature(STRIPE_SECRET, CLOCK_S, &body));
    let thin = Sent { provider: Provider::Stripe, headers: vec![("stripe-signature", header)], body };
    assert_eq!(thin.prove().unwrap_err(), Unverified::ThinEvent);
}

#[test]
fn a_batch_is_believed_whole_or_not_at_all() {
    let date = "2026-11-20T00:00:00Z";
    let one = adyen_item("AUTHORISATION", true, "P1", "", date, json!({}));
    let mut forged = adyen_item("AUTHORISATION", true, "P2", "", date, json!({}));
    forged["amount"]["value"] = json!(1);
    assert_eq!(adyen(vec![one.clone(), forged]).prove().unwrap_err(), Unverified::SignatureWrong);
    assert_eq!(adyen(Vec::new()).prove().unwrap_err(), Unverified::Malformed);
    assert_eq!(adyen(vec![one.clone(); 101]).prove().unwrap_err(), Unverified::Malformed);
    assert!(adyen(vec![one; 100]).prove().is_ok());
}
