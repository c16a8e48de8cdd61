//! A file handed in on the page: first shown, then taken in when somebody says yes; and everything that may be wrong.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use actix_web::http::StatusCode;
use actix_web::test::{TestRequest, call_service, read_body};
use tillwatch::domain::{KeyMode, KeyScope, StoreSet, instant_from_ms};
use tillwatch::jobs::sweep_uploads::sweep;
use tillwatch::jobs::{Fold, Job, JobContext};
use tillwatch::store::PENDING_PER_STORE_MAX;

use crate::imports::{AFTER_THE_BILLS_MS, fixture};
use crate::service::{ORIGIN, TestService};

/// A form as browsers send it: the token, then files.
pub fn form(csrf: &str, files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body =
        format!("--x\r\nContent-Disposition: form-data; name=\"csrf\"\r\n\r\n{csrf}\r\n").into_bytes();
    for (name, bytes) in files {
        let head = format!(
            "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\nContent-Type: text/csv\r\n\r\n"
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--x--\r\n");
    body
}

/// A browser of the owner over a service.
pub struct Browser {
    pub service: TestService,
    pub cookie: (&'static str, String),
}

/// Status, place to go, page.
pub type Answer = (u16, String, String);

impl Browser {
    pub async fn start() -> Self {
        let service = TestService::start().await;
        service.clock.set(instant_from_ms(AFTER_THE_BILLS_MS));
        let cookie = service.owner().await;
        Self { service, cookie }
    }

    pub async fn ask(&self, request: TestRequest) -> Answer {
        let app = crate::app!(self.service);
        let answer = call_service(&app, request.insert_header(self.cookie.clone()).to_request()).await;
        let status = answer.status().as_u16();
        let place = answer.headers().get("location").map(|place| place.to_str().unwrap().to_owned());
        let body = String::from_utf8(read_body(answer).await.to_vec()).unwrap();
        (status, place.unwrap_or_default(), body)
    }

    pub async fn get(&self, uri: &str) -> Answer {
        self.ask(TestRequest::get().uri(uri)).await
    }

    pub async fn csrf(&self) -> String {
        let (_, _, html) = self.get("/s/main/imports").await;
        html.split("name=\"csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
    }

    pub async fn send(&self, kind: &str, body: Vec<u8>) -> Answer {
        self.send_to("/s/main/imports", kind, body).await
    }

    pub async fn send_to(&self, uri: &str, kind: &str, body: Vec<u8>) -> Answer {
        let request = TestRequest::post()
            .uri(uri)
            .insert_header(("origin", ORIGIN))
            .insert_header(("content-type", kind))
            .set_payload(body);
        self.ask(request).await
    }

    pub async fn upload(&self, name: &str, bytes: &[u8]) -> Answer {
        let body = form(&self.csrf().await, &[(name, bytes)]);
        self.send("multipart/form-data; boundary=x", body).await
    }

    pub async fn upload_fixture(&self, name: &str) -> Answer {
        self.upload(name, &fs::read(fixture(name)).unwrap()).await
    }

    pub async fn press(&self, uri: &str) -> Answer {
        let body = format!("csrf={}", self.csrf().await);
        let request = TestRequest::post()
            .uri(uri)
            .insert_header(("origin", ORIGIN))
            .insert_header(("content-type", "application/x-www-form-urlencoded"))
            .set_payload(body);
        self.ask(request).await
    }

    /// Waits until an import's page shows its end.
    pub async fn ended(&self, place: &str) -> String {
        for _ in 0..200 {
            let (_, _, html) = self.get(place).await;
            if !html.contains("<progress") {
                return html;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("{place} does not end");
    }

    pub async fn fold(&self) {
        let state = &self.service.state;
        let context = JobContext {
            database: state.database.clone(),
            clock: state.clock.clone(),
            snapshots: state.snapshots.clone(),
            metrics: state.metrics.clone(),
        };
        let fold = Fold::new(state.lake.as_ref().clone());
        while fold.run(&context).await.unwrap().done > 0 {}
    }

    pub async fn inbox_rows(&self) -> i64 {
        self.service.state.database.inbox_backlog().await.unwrap().rows
    }

    /// What is stored: imports, rows, files of uploads.
    pub async fn stored(&self) -> (usize, i64, usize) {
        let database = &self.service.state.database;
        let store = database.stores().await.unwrap()[0].id;
        let imports = database.imports(store, 100).await.unwrap().len();
        (imports, self.inbox_rows().await, self.uploads())
    }

    pub fn folder(&self) -> PathBuf {
        self.service.state.config.data_dir.join("uploads")
    }

    pub fn uploads(&self) -> usize {
        fs::read_dir(self.folder()).map_or(0, Iterator::count)
    }
}

#[actix_web::test]
async fn a_file_is_shown_first_and_taken_in_after_a_yes_without_javascript() {
    let browser = Browser::start().await;
    let (status, _, html) = browser.get("/s/main/imports").await;
    assert_eq!(status, 200);
    assert!(html.contains("4 GiB"), "the limit is said beforehand");
    let (status, place, _) = browser.upload_fixture("synthetic_trade_20261120.csv.zip").await;
    assert_eq!(status, 303);
    let (_, _, html) = browser.get(&place).await;
    for text in ["Alipay", "Beijing time", "GB18030", "20 Nov 2026", "Yes, import", "None of these records"] {
        assert!(html.contains(text), "{text} is not in\n{html}");
    }
    assert_eq!(browser.stored().await, (0, 0, 1), "nothing is taken in by looking");
    assert!(browser.get("/s/main/imports").await.2.contains("Waiting for your confirmation"));

    let (status, import, _) = browser.press(&format!("{place}/confirm")).await;
    assert_eq!(status, 303);
    let html = browser.ended(&import).await;
    for text in ["The rows add up to the file&#39;s summary", "<dd>13</dd>", "20 Nov 2026"] {
        assert!(html.contains(text), "{text} is not in\n{html}");
    }
    assert_eq!(browser.stored().await, (1, 4, 0), "the upload is gone");
    assert_eq!(browser.get(&place).await.0, 404, "it waits no more");
    assert_eq!(browser.press(&format!("{place}/confirm")).await.0, 404);

    let (_, again, _) = browser.upload_fixture("synthetic_trade_20261120.csv.zip").await;
    let (_, _, html) = browser.get(&again).await;
    assert!(html.contains("already imported as #1") && !html.contains("Yes, import"), "{html}");
    assert_eq!(browser.press(&format!("{again}/discard")).await.1, "/s/main/imports?discarded=1");
    assert_eq!(browser.stored().await, (1, 4, 0));
    assert_eq!(browser.get(&format!("{import}/rejected.csv")).await.0, 200);
    assert_eq!(browser.get("/s/main/imports/999").await.0, 404);
}

#[actix_web::test]
async fn what_is_known_already_is_counted_by_identity() {
    let browser = Browser::start().await;
    let name = "synthetic_v3_tradebill_ALL_edge_cases.csv";
    let (_, place, _) = browser.upload_fixture(name).await;
    let (_, import, _) = browser.press(&format!("{place}/confirm")).await;
    browser.ended(&import).await;
    browser.fold().await;
    let text = fs::read_to_string(fixture(name)).unwrap();
    let (_, place, _) = browser.upload("again.csv", format!("{text}\n").as_bytes()).await;
    let (_, _, html) = browser.get(&place).await;
    assert!(html.contains("Of 6 records 6 are here already, exactly the same, and 0 with other"), "{html}");
}

#[actix_web::test]
async fn a_refused_file_says_what_to_do_and_is_not_kept() {
    let browser = Browser::start().await;
    let (_, place, _) = browser.upload("statement.csv", CONSUMER.as_bytes()).await;
    let (_, _, html) = browser.get(&place).await;
    assert!(html.contains("personal WeChat Pay statement") && !html.contains("Yes, import"), "{html}");
    assert_eq!(browser.stored().await, (0, 0, 0));
    assert_eq!(browser.press(&format!("{place}/confirm")).await.0, 409);
    assert_eq!(browser.press(&format!("{place}/discard")).await.0, 303);
    assert_eq!(browser.get(&place).await.0, 404);
}

const CONSUMER: &str = "微信支付账单明细,,,,,,,,\n微信昵称：[张三],,,,,,,,\n----------------------微信支付账单明细列表--------------------,,,,,,,,\n交易时间,交易类型,交易对方,商品,收/支,金额(元),支付方式,当前状态,交易单号,商户单号,备注\n";

#[actix_web::test]
async fn a_form_that_is_wrong_leaves_everything_as_it_was() {
    let browser = Browser::start().await;
    let (_, place, _) = browser.upload_fixture("synthetic_trade_20261120.csv.zip").await;
    let (_, import, _) = browser.press(&format!("{place}/confirm")).await;
    browser.ended(&import).await;
    let before = browser.stored().await;
    assert_eq!(before, (1, 4, 0));
    let csrf = browser.csrf().await;
    let kind = "multipart/form-data; boundary=x";
    let bill = fs::read(fixture("synthetic_v3_tradebill_ALL_edge_cases.csv")).unwrap();
    let mut cut_off = form(&csrf, &[("a.csv", &bill)]);
    cut_off.truncate(cut_off.len() / 2);
    let many = form(
        &csrf,
        &[("", b""), ("", b""), ("", b""), ("", b""), ("", b""), ("", b""), ("", b""), ("", b"")],
    );
    for (what, kind, body, status, said) in [
        ("two files", kind, form(&csrf, &[("a.csv", &bill), ("b.csv", &bill)]), 422, "one file at a time"),
        ("no file", kind, form(&csrf, &[]), 422, "No file was chosen"),
        ("an empty choice", kind, form(&csrf, &[("", b"")]), 422, "No file was chosen"),
        ("a form cut off", kind, cut_off, 400, "cut off on its way"),
        ("too many fields", kind, many, 400, "cut off on its way"),
        ("no multipart", "application/x-www-form-urlencoded", b"a=b".to_vec(), 400, "cut off on its way"),
        (
            "another boundary",
            "multipart/form-data; boundary=y",
            form(&csrf, &[("a.csv", &bill)]),
            400,
            "cut off",
        ),
        ("a wrong token", kind, form("wrong", &[("a.csv", &bill)]), 403, "not accepted"),
        ("no token", kind, form(&csrf, &[("a.csv", &bill)]).split_off(csrf.len() + 54), 403, "not accepted"),
    ] {
        let (found, _, html) = browser.send(kind, body).await;
        assert_eq!(found, status, "{what}");
        assert!(html.contains(said), "{what}: {said} is not in\n{html}");
        assert_eq!(browser.stored().await, before, "{what}");
    }
    let foreign = TestRequest::post()
        .uri("/s/main/imports")
        .insert_header(("origin", "http://evil.example"))
        .insert_header(("content-type", kind))
        .set_payload(form(&csrf, &[("a.csv", &bill)]));
    assert_eq!(browser.ask(foreign).await.0, 403);
    assert_eq!(browser.stored().await, before);
}

pub fn zip_of(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        archive.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

#[actix_web::test]
async fn a_file_that_is_wrong_is_told_in_words_and_leaves_everything_as_it_was() {
    let browser = Browser::start().await;
    let bill = fs::read(fixture("synthetic_v3_tradebill_ALL_edge_cases.csv")).unwrap();
    let text = String::from_utf8(bill.clone()).unwrap();
    let nested = zip_of(&[("inner.zip", &zip_of(&[("bill.csv", &bill)]))]);
    let names: Vec<String> = (0..1_000).map(|n| format!("{n}.csv")).collect();
    let thousand: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b"x"[..])).collect();
    let without_end = text.rsplit_once("总交易单数").unwrap().0.as_bytes();
    for (what, name, bytes, said) in [
        ("nothing in it", "empty.csv", Vec::new(), "The file is empty"),
        ("an archive in an archive", "a.zip", nested, "The archive holds no bill"),
        ("a thousand entries", "a.zip", zip_of(&thousand), "more than 100 files"),
        ("folders only", "a.zip", zip_of(&[("folder/", b"")]), "The archive holds no bill"),
        ("half an archive", "a.zip", zip_of(&[("b.csv", &bill)])[..200].to_vec(), "damaged"),
        ("its end cut off", "a.csv", without_end.to_vec(), "The summary at the end is missing"),
        ("a header that lies", "a.csv", text.replacen("`6,", "`7,", 1).into_bytes(), "do not add up"),
    ] {
        let (status, place, _) = browser.upload(name, &bytes).await;
        assert_eq!(status, 303, "{what}");
        let (_, _, html) = browser.get(&place).await;
        assert!(html.contains(said), "{what}: {said} is not in\n{html}");
        assert!(!html.contains("Yes, import"), "{what}");
        assert_eq!(browser.stored().await, (0, 0, 0), "{what}");
    }
}

#[actix_web::test]
async fn names_with_paths_are_names_and_nothing_is_written_there() {
    let browser = Browser::start().await;
    let bill = fs::read(fixture("synthetic_v3_tradebill_ALL_edge_cases.csv")).unwrap();
    let archive = zip_of(&[("../../../escaped.csv", &bill)]);
    let (_, place, _) = browser.upload("../../etc/passwd.zip", &archive).await;
    let (_, _, html) = browser.get(&place).await;
    assert!(html.contains("passwd.zip") && !html.contains("etc/passwd"), "{html}");
    assert!(html.contains("Yes, import"), "the bill inside is read");
    let parent = browser.service.state.config.data_dir.parent().unwrap().to_owned();
    assert!(!parent.join("escaped.csv").exists() && !browser.folder().join("escaped.csv").exists());
    let (status, place, _) = browser.upload("", &bill).await;
    assert_eq!(status, 303);
    assert!(browser.get(&place).await.2.contains("File without a name"));
}

#[actix_web::test]
async fn waiting_files_are_bounded_expire_and_are_swept_after_a_crash() {
    let browser = Browser::start().await;
    let bill = fs::read(fixture("synthetic_v3_tradebill_ALL_edge_cases.csv")).unwrap();
    for _ in 0..PENDING_PER_STORE_MAX {
        assert_eq!(browser.upload("a.csv", &bill).await.0, 303);
    }
    let (status, _, html) = browser.upload("a.csv", &bill).await;
    assert_eq!(status, 409);
    assert!(html.contains("Too many files of this store wait"), "{html}");
    let most = usize::try_from(PENDING_PER_STORE_MAX).unwrap();
    assert_eq!(browser.stored().await, (0, 0, most), "the one too many is gone");

    // A file that a process left behind when it died, and one that is being uploaded now.
    let now = instant_from_ms(AFTER_THE_BILLS_MS);
    let left = fs::File::create(browser.folder().join(".tmpleft")).unwrap();
    left.set_modified((now - chrono::TimeDelta::hours(3)).into()).unwrap();
    let fresh = fs::File::create(browser.folder().join(".tmpfresh")).unwrap();
    fresh.set_modified(now.into()).unwrap();
    let state = &browser.service.state;
    let data_dir = &state.config.data_dir;
    assert_eq!(sweep(&state.database, data_dir, now).await.unwrap(), 1);
    assert_eq!(browser.uploads(), most + 1);

    let later = now + chrono::TimeDelta::hours(25);
    assert_eq!(state.database.pending_import(1, later).await.unwrap(), None, "its time is over");
    assert!(sweep(&state.database, data_dir, later).await.unwrap() >= u64::try_from(most).unwrap());
    assert_eq!(browser.stored().await, (0, 0, 0));
}

#[actix_web::test]
async fn progress_is_told_and_ends_by_itself() {
    let browser = Browser::start().await;
    let (_, place, _) = browser.upload_fixture("synthetic_trade_20261120.csv.zip").await;
    let (status, _, events) = browser.get(&format!("{place}/events")).await;
    assert_eq!(status, 200);
    assert!(events.contains("event: end\n"), "{events}");
    let (_, import, _) = browser.press(&format!("{place}/confirm")).await;
    browser.ended(&import).await;
    browser.fold().await;
    let app = crate::app!(browser.service);
    let request = TestRequest::get()
        .uri(&format!("{import}/events"))
        .insert_header(browser.cookie.clone())
        .insert_header(("accept-encoding", "gzip"));
    let answer = call_service(&app, request.to_request()).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(answer.headers().get("content-encoding").is_none());
    assert_eq!(answer.headers().get("cache-control").unwrap(), "no-store, no-transform");
    let events = String::from_utf8(read_body(answer).await.to_vec()).unwrap();
    assert!(events.contains("event: end\ndata: {\"ppm\":1000000"), "{events}");
    assert_eq!(browser.get("/s/main/imports/999/events").await.0, 404);
}

#[actix_web::test]
async fn machines_can_look_before_they_send() {
    let browser = Browser::start().await;
    let service = &browser.service;
    let key = crate::api::key(service, KeyScope::Ingest, KeyMode::Live, StoreSet::All).await;
    let send = async |uri: &str| {
        let bytes = fs::read(fixture("synthetic_v3_tradebill_ALL_edge_cases.csv")).unwrap();
        let request = TestRequest::post()
            .uri(uri)
            .insert_header(("authorization", key.as_str()))
            .insert_header(("content-type", "multipart/form-data; boundary=x"))
            .set_payload(form("", &[("a.csv", &bytes)]));
        let (status, _, body) = browser.ask(request).await;
        (status, serde_json::from_str::<serde_json::Value>(&body).unwrap())
    };
    let (status, found) = send("/api/v1/imports?preview=1").await;
    assert_eq!((status, &found["provider"]), (200, &"wechat_pay".into()));
    assert_eq!((&found["records"], &found["lines"]["read"]), (&6.into(), &9.into()));
    assert_eq!((&found["already"], &found["refusal"]), (&serde_json::Value::Null, &serde_json::Value::Null));
    assert_eq!(browser.stored().await, (0, 0, 0));
    assert_eq!(send("/api/v1/imports").await.0, 202);
}

fn locked(bytes: &[u8], password: &str) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options =
        zip::write::SimpleFileOptions::default().with_aes_encryption(zip::AesMode::Aes256, password);
    archive.start_file("bill.csv", options).unwrap();
    archive.write_all(bytes).unwrap();
    archive.finish().unwrap().into_inner()
}

#[actix_web::test]
async fn a_locked_archive_asks_for_its_password_in_place_and_keeps_none() {
    let browser = Browser::start().await;
    let bill = fs::read(fixture("synthetic_v3_tradebill_ALL_edge_cases.csv")).unwrap();
    let archive = locked(&bill, "s3cret-of-the-zip");
    let (_, place, _) = browser.upload("locked.zip", &archive).await;
    let (_, _, html) = browser.get(&place).await;
    assert!(html.contains("Password of the archive") && !html.contains("Yes, import"), "{html}");
    let enter = async |password: &str| {
        let body = format!("csrf={}&password={password}", browser.csrf().await);
        let request = TestRequest::post()
            .uri(&format!("{place}/unlock"))
            .insert_header(("origin", ORIGIN))
            .insert_header(("content-type", "application/x-www-form-urlencoded"))
            .set_payload(body);
        assert_eq!(browser.ask(request).await.0, 303);
        browser.get(&place).await.2
    };
    let html = enter("wrong").await;
    assert!(
        html.contains("This password does not open the archive") && html.contains("Password of the"),
        "{html}"
    );
    let html = enter("s3cret-of-the-zip").await;
    assert!(html.contains("Yes, import") && html.contains("Trade bill, all trades"), "{html}");
    assert_eq!(browser.stored().await, (0, 0, 1), "the locked file is gone, its text waits");
    let (_, import, _) = browser.press(&format!("{place}/confirm")).await;
    browser.ended(&import).await;
    assert_eq!(browser.stored().await, (1, 6, 0));
    let database = fs::read(browser.service.state.config.data_dir.join("tillwatch.db")).unwrap_or_default();
    let wal = fs::read(browser.service.state.config.data_dir.join("tillwatch.db-wal")).unwrap_or_default();
    let holds = |bytes: &[u8]| bytes.windows(17).any(|part| part == b"s3cret-of-the-zip");
    assert!(!holds(&database) && !holds(&wal), "the password is nowhere kept");
    // The same archive is known by what it was handed in as.
    let (_, again, _) = browser.upload("locked.zip", &archive).await;
    assert!(browser.get(&again).await.2.contains("already imported as #1"));
}

impl Browser {
    async fn get_in(&self, language: &str, uri: &str) -> String {
        let app = crate::app!(self.service);
        let cookies = format!("{}; lang={language}", self.cookie.1);
        let request = TestRequest::get().uri(uri).insert_header(("cookie", cookies)).to_request();
        String::from_utf8(read_body(call_service(&app, request).await).await.to_vec()).unwrap()
    }
}

#[actix_web::test]
async fn what_is_wrong_is_said_in_both_languages_with_what_to_do() {
    let browser = Browser::start().await;
    let bill = fs::read_to_string(fixture("synthetic_v3_tradebill_ALL_edge_cases.csv")).unwrap();
    let no_trades = fs::read_to_string(fixture("synthetic_v3_no_trades_header_only.csv")).unwrap();
    let cut_off = format!("{}\n`2026-11-20 12:3", bill.lines().take(4).collect::<Vec<_>>().join("\n"));
    let id = bill.lines().nth(1).unwrap().split(",`").nth(5).unwrap().to_owned();
    let unknown = bill.replacen("费率备注", "明年的新列", 1);
    for (what, text, english, chinese) in [
        (
            "seconds lost",
            bill.replacen("2026-11-20 09:15:07", "2026-11-20 09:15", 1),
            "One line has a time without seconds",
            "有 1 行的时间缺少秒",
        ),
        (
            "a time in the future",
            bill.replacen("2026-11-20 09:15:07", "2027-11-20 09:15:07", 1),
            "One line lies more than 24 hours in the future",
            "有 1 行的时间比现在晚 24 小时以上",
        ),
        (
            "ids rounded by Excel",
            bill.replacen(&id, "4.2E+27", 1),
            "Excel has turned an order number",
            "已被 Excel 改成",
        ),
        ("no trades that day", no_trades, "no trades that day. That is fine", "当天没有交易。这是正常的"),
        ("a column nobody knows", unknown, "Columns not kept", "明年的新列"),
        ("no bill at all", "a,b\n1,2\n".to_owned(), "does not know this format", "无法识别此格式"),
        ("a line cut off", cut_off, "The summary at the end is missing", "文件末尾缺少汇总行"),
    ] {
        let (status, place, _) = browser.upload("a.csv", text.as_bytes()).await;
        assert_eq!(status, 303, "{what}");
        for (language, said) in [("en", english), ("zh-Hans", chinese)] {
            let html = browser.get_in(language, &place).await;
            assert!(html.contains(said), "{what}: {said} is not in\n{html}");
        }
        browser.press(&format!("{place}/discard")).await;
        assert_eq!(browser.stored().await, (0, 0, 0), "{what}");
    }
}
