use chrono::NaiveDate;

use super::*;
use crate::domain::instant_from_ms;

macro_rules! key {
    ($name:literal) => {
        include_str!(concat!("../../../tests/fixtures/fetching/", $name, ".pem"))
    };
}

fn app() -> App {
    App {
        id: "2021000000000001".into(),
        key: SigningKey::read(key!("merchant_pkcs1")).unwrap(),
        platform: VerifyingKey::read(key!("platform_public")).unwrap(),
    }
}

fn wish(kind: BillKind) -> Wish {
    Wish { kind, day: NaiveDate::from_ymd_opt(2026, 11, 20).unwrap() }
}

/// An answer as the gateway signs it: the node's text as it stands.
fn answer(node: &str) -> String {
    let signature = SigningKey::read(key!("platform_private")).unwrap().sign(node.as_bytes()).unwrap();
    format!(r#"{{"{NODE}":{node},"sign":"{signature}"}}"#)
}

const ADDRESS: &str = r#"{"code":"10000","msg":"Success","bill_download_url":"http:\/\/dwbillcenter.alipay.com\/downloadBillFile.resource?fileId=x"}"#;

#[test]
fn a_question_signs_its_fields_by_name_with_sign_type_and_beijing_time() {
    // 31 December 2026, 16:30 UTC is the new year in Beijing.
    let at = instant_from_ms(1_798_734_600_000);
    let fields = fields("2021000000000001", wish(BillKind::Account), at).unwrap();
    let text = signed_text(&fields);
    assert_eq!(
        text,
        "app_id=2021000000000001&biz_content={\"bill_type\":\"signcustomer\",\"bill_date\":\"2026-11-20\"}\
         &charset=utf-8&format=JSON&method=alipay.data.dataservice.bill.downloadurl.query&sign_type=RSA2\
         &timestamp=2027-01-01 00:30:00&version=1.0"
    );
    let form = app().form(wish(BillKind::Account), at).unwrap();
    assert!(form.contains("timestamp=2027-01-01%2000%3A30%3A00") && !form.contains('{'), "{form}");
    let signature = form.split("sign=").nth(1).unwrap().split('&').next().unwrap();
    let signature = percent_encoding::percent_decode_str(signature).decode_utf8().unwrap();
    let public = VerifyingKey::read(key!("merchant_public")).unwrap();
    assert!(public.verifies(text.as_bytes(), &signature));
    assert!(app().form(wish(BillKind::FundBasic), at).unwrap_err().is_final());
}

#[test]
fn empty_fields_and_the_signature_itself_are_not_signed() {
    let fields = BTreeMap::from([
        ("b", "2".to_owned()),
        ("sign", "x".to_owned()),
        ("a", "1=&".to_owned()),
        ("c", String::new()),
    ]);
    assert_eq!(signed_text(&fields), "a=1=&&b=2");
}

#[test]
fn the_answer_is_verified_over_its_raw_text() {
    let read = |body: &str| app().read_first(200, body.as_bytes());
    let address = "http://dwbillcenter.alipay.com/downloadBillFile.resource?fileId=x";
    assert_eq!(read(&answer(ADDRESS)), Ok(First::Address(address.into())));
    // The same values, written otherwise: what was signed is the text.
    assert_eq!(read(&answer(ADDRESS).replace("\\/", "/")), Err(Fault::SignatureWrong));
    let spaced = format!("{{ \"msg\" : \"Success\",\n {}", &ADDRESS[1..].replace(r#""msg":"Success","#, ""));
    assert_eq!(read(&answer(&spaced)), Ok(First::Address(address.into())));
    // The signature first, and other members around.
    let (node, sign) =
        answer(ADDRESS).split_once(",\"sign\"").map(|(a, b)| (a[1..].to_owned(), b.to_owned())).unwrap();
    let turned = format!("{{\"alipay_cert_sn\":\"x\",\"sign\"{},{node}}}", sign.trim_end_matches('}'));
    assert_eq!(read(&turned), Ok(First::Address(address.into())));
    assert_eq!(read(&answer(ADDRESS).replace("fileId=x", "fileId=y")), Err(Fault::SignatureWrong));
    assert_eq!(read(&format!(r#"{{"{NODE}":{ADDRESS}}}"#)), Err(Fault::NotSigned));
    assert_eq!(read(&format!(r#"{{"{NODE}":{ADDRESS},"sign":""}}"#)), Err(Fault::NotSigned));
    assert_eq!(read(&answer(r#"{"code":"10000"}"#)), Err(Fault::AnswerUnreadable));
    for nonsense in ["", "<html>", "[]", "{}", r#"{"sign":"x"}"#, r#"{"error_response":5}"#] {
        assert_eq!(read(nonsense), Err(Fault::AnswerUnreadable), "{nonsense}");
    }
    assert_eq!(app().read_first(503, b"{}"), Err(Fault::Status(503)));
}

#[test]
fn a_missing_bill_is_no_refusal_and_refusals_say_what_to_do() {
    let node = |code: &str, sub: &str| {
        format!(r#"{{"code":"{code}","msg":"m","sub_code":"{sub}","sub_msg":"说明"}}"#)
    };
    let signed = answer(&node("40004", "isp.bill_not_exist"));
    assert_eq!(app().read_first(200, signed.as_bytes()), Ok(First::NotThere));
    let forged = signed.replace("说明", "别的");
    assert_eq!(app().read_first(200, forged.as_bytes()), Err(Fault::SignatureWrong));
    for (code, sub, is_final) in [
        ("40002", "isv.invalid-signature", true),
        ("40002", "isv.invalid-app-id", true),
        ("40002", "isv.invalid-timestamp", false),
        ("40006", "isv.insufficient-isv-permissions", true),
        ("20000", "isp.unknow-error", false),
        ("40004", "isp.something-new", false),
    ] {
        let unsigned = format!(r#"{{"error_response":{}}}"#, node(code, sub));
        let fault = app().read_first(200, unsigned.as_bytes()).unwrap_err();
        assert_eq!(fault.is_final(), is_final, "{sub}");
        assert!(fault.sentence_zh().contains(sub) && fault.sentence_zh().contains("说明"));
    }
}
