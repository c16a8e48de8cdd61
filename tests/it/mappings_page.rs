//! A file of no known format: columns chosen on a page, kept, and known from then on.

use std::sync::Arc;

use actix_web::test::TestRequest;
use tillwatch::intake::FileHints;
use tillwatch::intake::import::{ImportRequest, import_file};
use tillwatch::store::ImportState;

use crate::imports_page::{Answer, Browser};
use crate::service::ORIGIN;

const TILL: &str = "某某收银系统导出,,\n订单号,流水号,交易时间,交易类型,交易状态,支付方式,实收金额,手续费\n\
    O1,T1,2026-11-20 09:15:00,收款,成功,微信,\"1,128.00\",0.77\n\
    O1,T2,2026-11-20 10:15:00,退款,成功,微信,28.00,-0.17\n\
    O2,T3,2026-11-20 10:15:00,收款,成功,现金,九元,\n合计,,,,,,1156.00,\n";
const ROLES: [&str; 8] = ["order", "id", "date", "kind", "status", "method", "amount", "fee"];

async fn send(browser: &Browser, pending: &str, act: &str, change: (&str, &str)) -> Answer {
    let mut fields = vec![
        ("csrf".to_owned(), browser.csrf().await),
        ("pending".to_owned(), pending.to_owned()),
        ("act".to_owned(), act.to_owned()),
    ];
    fields.extend(ROLES.iter().enumerate().map(|(place, role)| (format!("c{place}"), (*role).to_owned())));
    let typed = [
        ("name", "till export"),
        ("source", "payments"),
        ("provider", "till"),
        ("account", "M1"),
        ("zone", "Asia/Shanghai"),
        ("currency", "CNY"),
        ("format", "%Y-%m-%d %H:%M:%S"),
        ("refunds", ""),
        ("stores", ""),
    ];
    fields.extend(typed.map(|(name, value)| (name.to_owned(), value.to_owned())));
    for field in fields.iter_mut().filter(|(name, _)| name == change.0) {
        change.1.clone_into(&mut field.1);
    }
    let set = percent_encoding::NON_ALPHANUMERIC;
    let body = fields
        .iter()
        .map(|(name, value)| format!("{name}={}", percent_encoding::utf8_percent_encode(value, set)));
    let request = TestRequest::post()
        .uri("/s/main/imports/mappings/new")
        .insert_header(("origin", ORIGIN))
        .insert_header(("content-type", "application/x-www-form-urlencoded"))
        .set_payload(body.collect::<Vec<_>>().join("&"));
    browser.ask(request).await
}

#[actix_web::test]
async fn an_unknown_file_is_explained_once_and_known_from_then_on() {
    let browser = Browser::start().await;
    let (_, place, _) = browser.upload("till.csv", TILL.as_bytes()).await;
    let pending = place.rsplit('/').next().unwrap().to_owned();
    let page = browser.ended(&place).await;
    let editor = format!("/s/main/imports/mappings/new?pending={pending}");
    assert!(page.contains(&editor), "the page of the waiting file leads to the editor");

    let (status, _, page) = browser.get(&editor).await;
    assert_eq!(status, 200);
    for (place, role) in ROLES.iter().enumerate() {
        let select = page.split(&format!("name=\"c{place}\"")).nth(1).unwrap();
        let chosen = select.split(" selected").next().unwrap().rsplit("value=\"").next().unwrap();
        assert!(chosen.starts_with(role), "column {place}: {chosen}");
    }
    let (status, _, page) = send(&browser, &pending, "preview", ("", "")).await;
    assert_eq!(status, 200);
    assert!(page.contains("1,127.23") && page.contains("九元"), "rows and faults are shown");
    let (status, _, page) = send(&browser, &pending, "save", ("c6", "ignored")).await;
    assert_eq!((status, page.contains("name=\"c6\"")), (422, true), "without an amount nothing is kept");
    let (status, _, _) = send(&browser, &pending, "save", ("name", "")).await;
    assert_eq!(status, 422);

    let (status, place, _) = send(&browser, &pending, "save", ("", "")).await;
    assert_eq!((status, place.as_str()), (303, format!("/s/main/imports/pending/{pending}").as_str()));
    let page = browser.ended(&place).await;
    assert!(page.contains("till export") && page.contains("/confirm"), "the waiting file is read by it");
    let (_, place, _) = browser.press(&format!("{place}/confirm")).await;
    let page = browser.ended(&place).await;
    assert!(page.contains("till export"), "{page}");
    let database = &browser.service.state.database;
    let store = database.stores().await.unwrap()[0].id;
    let record = database.imports(store, 9).await.unwrap().remove(0);
    assert_eq!(
        (record.state, record.findings.rows, record.findings.lines_rejected),
        (ImportState::Done, 2, 1)
    );

    // Another file with the same header needs no words any more, on the command line neither.
    let path = browser.service.state.config.data_dir.join("next.csv");
    std::fs::write(&path, TILL.replace("T1", "T9").replace("九元", "9.00")).unwrap();
    let state = &browser.service.state;
    let request = |mapping: Option<String>| ImportRequest {
        store,
        path: path.clone(),
        file_name: "next.csv".to_owned(),
        mapping,
        hints: FileHints::default(),
        scratch: state.config.data_dir.clone(),
        now: state.clock.now(),
    };
    let import = async |mapping| {
        let pseudonyms = Arc::clone(&state.pseudonyms);
        import_file(&state.intake, &state.database, pseudonyms, request(mapping), |_| ()).await.unwrap().1
    };
    let record = import(None).await.unwrap();
    assert_eq!(
        (record.state, record.findings.rows, record.findings.variant.as_str()),
        (ImportState::Done, 3, "till export")
    );

    // The downloaded mapping is the same one: given by hand it is the same import again.
    let saved = database.saved_mappings(store).await.unwrap().remove(0);
    let (status, _, text) = browser.get(&format!("/s/main/imports/mappings/{}.toml", saved.id)).await;
    assert_eq!((status, text.as_str(), saved.version), (200, saved.text.as_str(), 1));
    assert!(import(Some(text)).await.is_none(), "already there");
}

#[actix_web::test]
async fn an_edit_is_a_new_version_and_a_retired_mapping_is_not_used() {
    let browser = Browser::start().await;
    let (_, place, _) = browser.upload("till.csv", TILL.as_bytes()).await;
    let pending = place.rsplit('/').next().unwrap().to_owned();
    for _ in 0..2 {
        let (status, _, _) = send(&browser, &pending, "save", ("", "")).await;
        assert_eq!(status, 303);
    }
    let database = &browser.service.state.database;
    let store = database.stores().await.unwrap()[0].id;
    let saved = database.saved_mappings(store).await.unwrap();
    assert_eq!((saved.len(), saved[0].version), (1, 2));
    let (_, _, page) = browser.get("/s/main/imports/mappings").await;
    assert!(page.contains("till export"));
    let (status, _, _) = browser.press(&format!("/s/main/imports/mappings/{}/retire", saved[0].id)).await;
    assert_eq!(status, 303);
    assert!(database.saved_mappings(store).await.unwrap().is_empty());
    let (_, place, _) = browser.upload("again.csv", format!("{TILL}\n").as_bytes()).await;
    assert!(browser.ended(&place).await.contains("/imports/mappings/new?pending="), "unknown again");
    let (status, _, _) = browser.get("/s/main/imports/mappings/new?pending=999").await;
    assert_eq!(status, 404);
}
