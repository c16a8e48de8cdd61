//! `static/beacon.js` in a real browser, on a checkout page of another origin under a strict policy: with the server
//! there, its events arrive; with the server away, the shop notices nothing.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tillwatch::domain::{Clock, SystemClock};
use tillwatch::lake::decode_batch;
use tillwatch::store::{CollectSite, Database};

use crate::live::Installation;

const SITE: &str = "beaconbeaconbeac";
/// Where `tests/screens/shoot.mjs` has its browser from, too.
const MODULES: &str = "/tmp/screens/node_modules";
const BROWSER: &str = "/usr/bin/chromium";

fn is_there() -> bool {
    for needed in [format!("{MODULES}/playwright-core"), BROWSER.to_owned()] {
        if !Path::new(&needed).exists() {
            println!("skipped: {needed} is absent");
            return false;
        }
    }
    Command::new("node").arg("--version").output().is_ok() || {
        println!("skipped: node is absent");
        false
    }
}

/// Walks through the shop's checkout and returns what the page noticed.
fn walk(till: &str, port: u16) -> Value {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/screens/beacon.mjs");
    let output = Command::new("node")
        .args([script, till, SITE, &port.to_string()])
        .env("NODE_PATH", MODULES)
        .env("no_proxy", "127.0.0.1")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Step, field error, method and order of everything that was kept, in the order of receipt.
async fn kept(database: &Database) -> Vec<[String; 5]> {
    let mut rows = Vec::new();
    for seq in 1..100 {
        let Ok(bytes) = database.read_batch(seq).await else { break };
        let frame = decode_batch(&bytes).unwrap();
        let text = |name: &str, row: usize| {
            let column = frame.data().column(name).unwrap().str().unwrap();
            column.get(row).unwrap_or_default().to_owned()
        };
        let names = ["step", "field_error", "method", "order_id", "session_id"];
        rows.extend((0..frame.data().height()).map(|row| names.map(|name| text(name, row))));
    }
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkout_tells_of_itself_and_never_notices_that_nobody_listens() {
    if !is_there() {
        return;
    }
    let installation = Installation::make().await;
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let database = Database::open(installation.address.clone()).await.unwrap();
    let site = CollectSite {
        id: SITE.into(),
        store: database.stores().await.unwrap()[0].id,
        name: "shop".into(),
        origins: vec![format!("http://127.0.0.1:{port}")],
        created_at: SystemClock.now(),
        last_event_at: None,
    };
    database.insert_collect_site(&site).await.unwrap();
    let server = installation.serve();
    let till = server.origin.clone();
    let up = walk(&till, port);
    drop(server);
    let rows = kept(&database).await;
    let has = |wanted: [&str; 4]| rows.iter().any(|row| row[..4] == wanted);
    for wanted in [
        ["begin_checkout", "", "", ""],
        // Of the browser's own check and of the shop's.
        ["begin_checkout", "email", "", ""],
        ["begin_checkout", "phone", "", ""],
        ["payment_attempt", "", "", ""],
        ["add_payment_info", "", "wechat_pay", ""],
        ["payment_attempt", "", "wechat_pay", ""],
        ["purchase", "", "", "A1"],
    ] {
        assert!(has(wanted), "{wanted:?} is not in {rows:?}");
    }
    assert!(rows.iter().all(|row| row[4] == rows[0][4]), "one visit: {rows:?}");
    let typed = ["li@example", "13800138000", "737"];
    assert!(!rows.iter().flatten().any(|text| typed.iter().any(|value| text.contains(value))), "{rows:?}");
    let site = database.collect_sites().await.unwrap().remove(0);
    assert!(site.last_event_at.is_some());

    let down = walk(&till, port);
    for (walked, name) in [(&up, "up"), (&down, "down")] {
        assert_eq!(walked["thrown"], json!([]), "{name}");
        assert_eq!((&walked["failed"], &walked["title"]), (&Value::Null, &json!("Thanks")), "{name}");
        assert_eq!(walked["cookies"], 0, "{name}");
        assert_eq!(walked["refused"], json!([]), "{name}");
    }
    assert_eq!(up["stored"], json!([[], ["tillwatch"]]));
    assert_eq!(down["stored"], json!([[], []]));
}
