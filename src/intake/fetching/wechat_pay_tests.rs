use chrono::NaiveDate;

use super::*;
use crate::domain::instant_from_ms;
use crate::intake::fetching::VerifyingKey;

macro_rules! key {
    ($name:literal) => {
        include_str!(concat!("../../../tests/fixtures/fetching/", $name, ".pem"))
    };
}

/// 21 November 2026, 10:00 in Beijing.
const NOW_MS: i64 = 1_795_226_400_000;
const PLATFORM_ID: &str = "PUB_KEY_ID_0114232134912410000000000000";

fn now() -> Instant {
    instant_from_ms(NOW_MS)
}

fn merchant() -> Merchant {
    Merchant {
        id: "1900000109".into(),
        serial: "408B07E79B8269FEC3D5D3E6AB8ED163A6A380DB".into(),
        key: SigningKey::read(key!("merchant_pkcs8")).unwrap(),
        platform: PlatformKeys::read(key!("platform_public"), PLATFORM_ID).unwrap(),
    }
}

/// An answer as the provider signs it.
fn reply(status: u16, body: &str, apart_s: i64) -> Reply {
    let timestamp = (NOW_MS / 1000 + apart_s).to_string();
    let text = format!("{timestamp}\nchance\n{body}\n");
    let signature = SigningKey::read(key!("platform_private")).unwrap().sign(text.as_bytes()).unwrap();
    let head = SignatureHead {
        timestamp: Some(timestamp),
        nonce: Some("chance".into()),
        serial: Some(PLATFORM_ID.into()),
        signature: Some(signature),
        kind: None,
    };
    Reply { status, head, body: body.into() }
}

const TICKET: &str = r#"{"hash_type":"SHA1","hash_value":"79bb0f45fc4c42234a918000b2668d689e2bde04","download_url":"https://api.mch.weixin.qq.com/v3/billdownload/file?token=x"}"#;

#[test]
fn a_request_is_signed_over_method_path_time_chance_and_body() {
    let path = "/v3/bill/tradebill?bill_date=2026-11-20&bill_type=ALL&tar_type=GZIP";
    let header =
        merchant().authorization("GET", path, "", now(), "593BEC0C930BF1AFEB40B4A08C8FB242").unwrap();
    let (scheme, pairs) = header.split_once(' ').unwrap();
    assert_eq!(scheme, "WECHATPAY2-SHA256-RSA2048");
    let value = |name: &str| {
        let (_, rest) = pairs.split_once(&format!("{name}=\"")).unwrap();
        rest.split('"').next().unwrap().to_owned()
    };
    assert_eq!(value("mchid"), "1900000109");
    assert_eq!(value("serial_no"), "408B07E79B8269FEC3D5D3E6AB8ED163A6A380DB");
    assert_eq!(value("timestamp"), "1795226400");
    let text = format!("GET\n{path}\n1795226400\n593BEC0C930BF1AFEB40B4A08C8FB242\n\n");
    let public = VerifyingKey::read(key!("merchant_public")).unwrap();
    assert!(public.verifies(text.as_bytes(), &value("signature")));
}

#[test]
fn each_kind_has_its_own_question() {
    let day = NaiveDate::from_ymd_opt(2026, 2, 28).unwrap();
    let path = |kind| path_of(Wish { kind, day });
    assert_eq!(
        path(BillKind::Trade).unwrap(),
        "/v3/bill/tradebill?bill_date=2026-02-28&bill_type=ALL&tar_type=GZIP"
    );
    for (kind, account) in
        [(BillKind::FundBasic, "BASIC"), (BillKind::FundOperation, "OPERATION"), (BillKind::FundFees, "FEES")]
    {
        let asked =
            format!("/v3/bill/fundflowbill?bill_date=2026-02-28&account_type={account}&tar_type=GZIP");
        assert_eq!(path(kind), Some(asked));
    }
    assert_eq!(path(BillKind::Account), None);
}

#[test]
fn an_answer_is_believed_with_the_providers_signature_alone() {
    let read = |reply: &Reply| merchant().read_first(reply, now());
    let good = reply(200, TICKET, 0);
    let First::Ticket(ticket) = read(&good).unwrap() else { panic!() };
    assert_eq!(ticket.hash_value, "79bb0f45fc4c42234a918000b2668d689e2bde04");
    let changed = Reply { body: TICKET.replace("79bb", "79bc").into(), ..good.clone() };
    assert_eq!(read(&changed), Err(Fault::SignatureWrong));
    let unsigned = Reply { head: SignatureHead::default(), ..good.clone() };
    assert_eq!(read(&unsigned), Err(Fault::NotSigned));
    let mut by_another = good.clone();
    by_another.head.serial = Some("5157F09E".into());
    assert_eq!(read(&by_another), Err(Fault::KeyUnknown("5157F09E".into())));
    let mut probe = good.clone();
    probe.head.signature = Some("WECHATPAY/SIGNTEST/abc".into());
    assert_eq!(read(&probe), Err(Fault::SignatureWrong));
    let mut other_kind = good;
    other_kind.head.kind = Some("WECHATPAY2-SM2-WITH-SM3".into());
    assert_eq!(read(&other_kind), Err(Fault::SignatureWrong));
}

#[test]
fn an_answer_of_another_time_is_not_believed() {
    let read = |apart_s| merchant().read_first(&reply(200, TICKET, apart_s), now()).map(|_| ());
    assert_eq!(read(299), Ok(()));
    assert_eq!(read(-299), Ok(()));
    assert_eq!(read(300), Err(Fault::ClockDiffers(-300)));
    assert_eq!(read(-86_400), Err(Fault::ClockDiffers(86_400)));
}

#[test]
fn not_ready_and_no_activity_are_told_apart() {
    let read = |reply: &Reply| merchant().read_first(reply, now());
    let none = r#"{"code":"NO_STATEMENT_EXIST","message":"账单文件不存在"}"#;
    let creating = r#"{"code":"STATEMENT_CREATING","message":"账单生成中"}"#;
    assert_eq!(read(&reply(400, creating, 0)), Ok(First::NotReady));
    assert_eq!(read(&reply(400, none, 0)), Ok(First::NoActivity));
    let unsigned = Reply { head: SignatureHead::default(), ..reply(400, none, 0) };
    assert_eq!(read(&unsigned), Ok(First::NotThere));
    let mut forged = reply(400, none, 0);
    forged.body.push(b' ');
    assert_eq!(read(&forged), Err(Fault::SignatureWrong));
}

#[test]
fn refusals_say_whether_asking_again_helps() {
    let read = |status, body: &str| {
        let unsigned = Reply { status, head: SignatureHead::default(), body: body.into() };
        merchant().read_first(&unsigned, now()).unwrap_err()
    };
    for (status, code, is_final) in [
        (401, "SIGN_ERROR", true),
        (403, "NO_AUTH", true),
        (400, "PARAM_ERROR", true),
        (429, "FREQUENCY_LIMITED", false),
        (500, "SYSTEM_ERROR", false),
        (400, "SOMETHING_NEW", false),
    ] {
        let fault = read(status, &format!(r#"{{"code":"{code}","message":"a\u0007b"}}"#));
        assert_eq!(fault.is_final(), is_final, "{code}");
        assert!(fault.sentence_en().contains(code) && fault.sentence_zh().contains(code));
        assert!(fault.sentence_en().contains("ab"));
    }
    assert_eq!(read(502, "<html>"), Fault::Status(502));
    assert_eq!(read(500, "{}"), Fault::Status(500));
    let other_hash = reply(200, r#"{"hash_type":"MD5","hash_value":"x","download_url":"y"}"#, 0);
    assert_eq!(merchant().read_first(&other_hash, now()), Err(Fault::AnswerUnreadable));
}
