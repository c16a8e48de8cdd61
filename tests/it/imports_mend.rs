//! What an upload is warned of, which days have arrived, and rejected lines that are put right.

use std::fs;

use serde_json::json;
use tillwatch::domain::{KeyMode, KeyScope, StoreSet};

use actix_web::test::TestRequest;

use crate::imports::fixture;
use crate::imports_page::{Browser, form};

const ALL: &str = "synthetic_v3_tradebill_ALL_edge_cases.csv";

fn bill() -> String {
    fs::read_to_string(fixture(ALL)).unwrap()
}

impl Browser {
    /// Uploads, says yes, waits; gives the place of the import and its page.
    async fn import(&self, name: &str, text: &str) -> (String, String) {
        let (_, place, _) = self.upload(name, text.as_bytes()).await;
        let (status, import, _) = self.press(&format!("{place}/confirm")).await;
        assert_eq!(status, 303, "{}", self.get(&place).await.2);
        let html = self.ended(&import).await;
        (import, html)
    }

    async fn hand_in(&self, import: &str, text: &str) -> String {
        let body = form(&self.csrf().await, &[("rejected.csv", text.as_bytes())]);
        let place = format!("{import}/mend");
        let (status, place, _) = self.send_to(&place, "multipart/form-data; boundary=x", body).await;
        assert_eq!(status, 303);
        self.get(place.split('#').next().unwrap()).await.2
    }
}

/// The bill with two rejected lines: one whose card number must not be kept, one of an unknown kind.
fn spoilt() -> String {
    bill().replacen("`书籍", "`card 4111111111111111", 1).replacen("`MWEB,`SUCCESS", "`MWEB,`WHAT", 1)
}

#[actix_web::test]
async fn lines_put_right_in_our_list_join_their_import() {
    let browser = Browser::start().await;
    let (import, html) = browser.import("bad.csv", &spoilt()).await;
    assert!(html.contains("Done, with rejected lines"), "{html}");
    assert_eq!(browser.inbox_rows().await, 4);
    let (_, _, list) = browser.get(&format!("{import}/rejected.csv")).await;
    assert!(
        list.contains("pan_suspected") && !list.contains("4111") && !list.contains("oSYN_user"),
        "{list}"
    );
    // Handed in as it is, nothing changes.
    let html = browser.hand_in(&import, &list).await;
    assert!(html.contains("0 lines were taken in, 0 are still rejected."), "{html}");
    // One line put right, one put wrong in another way, one that was never rejected.
    let right = list.replacen(",WHAT,", ",SUCCESS,", 1);
    let foreign = format!("{}\n99,,missing,a value is needed here,x\n", right.trim_end());
    let html = browser.hand_in(&import, &foreign).await;
    assert!(html.contains("1 lines were taken in, 0 are still rejected, and 1 were none of"), "{html}");
    assert!(html.contains("Of 2 rejected lines 1 were mended, 1 are still rejected"), "{html}");
    assert_eq!(browser.inbox_rows().await, 5);
    let (_, _, list) = browser.get(&format!("{import}/rejected.csv")).await;
    assert!(!list.contains("unknown_kind") && list.contains("pan_suspected"), "{list}");
    // The whole file put right: only the line that is still rejected is read.
    let html = browser.hand_in(&import, &bill()).await;
    assert!(html.contains("1 lines were taken in, 0 are still rejected."), "{html}");
    assert_eq!(browser.inbox_rows().await, 6);
    browser.fold().await;
    let html = browser.ended(&import).await;
    assert!(
        html.contains("<dt>Rejected</dt><dd>0</dd>") && html.contains("<dt>New</dt><dd>6</dd>"),
        "{html}"
    );
    // The same bill as it should have been brings nothing new: the mended rows are the very same.
    let (_, place, _) = browser.upload("right.csv", bill().as_bytes()).await;
    let (_, _, html) = browser.get(&place).await;
    assert!(html.contains("Of 6 records"), "{html}");
    assert!(
        html.contains("records 5 are here already, exactly the same, and 1 with other"),
        "the blotted-out shopper"
    );
}

#[actix_web::test]
async fn lines_that_are_wrong_again_stay_rejected_and_what_is_no_list_changes_nothing() {
    let browser = Browser::start().await;
    let (import, _) = browser.import("bad.csv", &spoilt()).await;
    let (_, _, list) = browser.get(&format!("{import}/rejected.csv")).await;
    let html = browser.hand_in(&import, &list.replacen(",WHAT,", ",WHAT ELSE,", 1)).await;
    assert!(html.contains("0 lines were taken in, 1 are still rejected."), "{html}");
    let (_, _, list) = browser.get(&format!("{import}/rejected.csv")).await;
    assert!(list.contains("WHAT ELSE"), "{list}");
    let html = browser.hand_in(&import, "a,b\n1,2\n").await;
    assert!(html.contains("cannot be read as lines of this bill"), "{html}");
    let part: String = bill().lines().take(4).collect::<Vec<_>>().join("\n");
    let html = browser.hand_in(&import, &part).await;
    assert!(html.contains("neither the list of rejected lines nor the whole file"), "{html}");
    let html = browser.hand_in(&import, "").await;
    assert!(html.contains("cannot be read as lines of this bill"), "{html}");
    assert_eq!(browser.inbox_rows().await, 4);
    let wrong = form("wrong", &[("a.csv", list.as_bytes())]);
    let place = format!("{import}/mend");
    assert_eq!(browser.send_to(&place, "multipart/form-data; boundary=x", wrong).await.0, 403);
    assert_eq!(
        browser.send_to("/s/main/imports/99/mend", "multipart/form-data; boundary=x", vec![]).await.0,
        404
    );
}

#[actix_web::test]
async fn days_that_have_arrived_are_shown_by_source() {
    let browser = Browser::start().await;
    assert!(!browser.get("/s/main/imports").await.2.contains("Bills of the last 30 days"));
    browser.import(ALL, &bill()).await;
    let (_, _, html) = browser.get("/s/main/imports").await;
    assert!(html.contains("20 Nov 2026 arrived") && html.contains("21 Nov 2026 missing"), "{html}");
    assert!(html.contains("1900000109") && html.contains("Trade bill, all trades"));
}

#[actix_web::test]
async fn a_bill_of_an_account_of_another_store_is_warned_of() {
    let browser = Browser::start().await;
    browser.import(ALL, &bill()).await;
    let database = &browser.service.state.database;
    let first = database.stores().await.unwrap().remove(0);
    let draft = tillwatch::store::StoreDraft {
        organisation: first.organisation,
        slug: "second".into(),
        name: "二店".into(),
        zone: first.zone,
        cut_off: first.cut_off,
        week_start: first.week_start,
        currency: first.currency,
        language: first.language.clone(),
    };
    database.insert_store(&draft, browser.service.state.clock.now()).await.unwrap();
    let body = form(&browser.csrf().await, &[("a.csv", bill().as_bytes())]);
    let (_, place, _) = browser.send_to("/s/second/imports", "multipart/form-data; boundary=x", body).await;
    let (_, _, html) = browser.get(&place).await;
    assert!(html.contains("1900000109 were imported into 总店 so far"), "{html}");
    assert_eq!(browser.get(&place.replace("/second/", "/main/")).await.0, 404, "another store's upload");
}

#[actix_web::test]
async fn times_that_lie_hours_away_from_what_is_known_are_warned_of() {
    let browser = Browser::start().await;
    let key = crate::api::key(&browser.service, KeyScope::Ingest, KeyMode::Live, StoreSet::All).await;
    // What the shop's own system said of the first payment of the bill, eight hours off.
    let line = bill().lines().nth(2).unwrap().to_owned();
    let cells: Vec<&str> = line.trim_start_matches('`').split(",`").collect();
    let row = json!({"transaction_id": "t1", "provider_transaction_id": cells[5], "provider": "wechat_pay",
        "created_at": format!("{}Z", cells[0].replace(' ', "T")), "status": "succeeded", "amount": 100, "currency": "CNY"});
    let request =
        TestRequest::post().uri("/api/v1/transactions").insert_header(("authorization", key)).set_json(row);
    assert_eq!(browser.ask(request).await.0, 200);
    browser.fold().await;
    let (_, place, _) = browser.upload(ALL, bill().as_bytes()).await;
    let (_, _, html) = browser.get(&place).await;
    assert!(html.contains("away from payments of the same number"), "{html}");
}
