//! Bills that are fetched: from the clock to durable rows, against a stand-in that checks our signatures.

mod page;
mod stand_in;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use chrono::{DateTime, FixedOffset, NaiveDate, TimeDelta};
use tillwatch::domain::{BillKind, BillProvider, Clock, Instant, Status, StoreId, Word};
use tillwatch::intake::FileHints;
use tillwatch::intake::fetching::{BillClient, Gateways, SigningKey};
use tillwatch::intake::import::{Begun, ImportRequest, begin_import};
use tillwatch::jobs::{FetchBills, Fold, Job, JobContext};
use tillwatch::store::{
    BillFetch, BillSource, BillSourceDraft, FetchState, ImportState, Opened, PublicPart, Seal,
};

use crate::imports::fixture;
use crate::service::TestService;
use crate::whole_line::payment_of;
use stand_in::{APP_ID, MCHID, MERCHANT_KEY, PLATFORM_ID, PLATFORM_PUBLIC, SERIAL, Say, StandIn};

const WECHAT_BILL: &str = "synthetic_v3_tradebill_ALL_edge_cases.csv";
const ALIPAY_BILL: &str = "synthetic_trade_20261120.csv.zip";
/// The real ones would be waited for too long.
const ANSWER_WITHIN: Duration = Duration::from_millis(1_500);

/// An instant by Beijing's clock.
fn at(text: &str) -> Instant {
    DateTime::<FixedOffset>::parse_from_rfc3339(&format!("{text}+08:00")).unwrap().to_utc()
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

struct World {
    service: TestService,
    stand_in: StandIn,
    store: StoreId,
    context: JobContext,
    fetch: FetchBills,
}

impl World {
    /// At ten in the morning of 21 November 2026, Beijing.
    async fn new() -> Self {
        Self::limited(1 << 20).await
    }

    async fn limited(download_bytes_max: u64) -> Self {
        let service = TestService::start().await;
        service.owner().await;
        Self::with(service, StandIn::start().await, download_bytes_max).await
    }

    /// The same around a service that has its owner.
    async fn around(service: TestService, stand_in: StandIn) -> Self {
        Self::with(service, stand_in, 1 << 20).await
    }

    async fn with(service: TestService, stand_in: StandIn, download_bytes_max: u64) -> Self {
        let state = &service.state;
        let store = state.database.stores().await.unwrap()[0].id;
        let context = JobContext {
            database: state.database.clone(),
            clock: state.clock.clone(),
            snapshots: state.snapshots.clone(),
            metrics: state.metrics.clone(),
        };
        let gateway = format!("{}/gateway.do", stand_in.address);
        let gateways = Gateways::at(Some(&stand_in.address), Some(&gateway)).unwrap();
        let fetch = job(&service, gateways.clone());
        let client = BillClient::new(gateways).unwrap().limited(ANSWER_WITHIN, download_bytes_max);
        let world = Self { fetch: fetch.with_client(client), service, stand_in, store, context };
        world.set("2026-11-21T10:00:00");
        world
    }

    fn set(&self, text: &str) {
        self.service.clock.set(at(text));
        self.stand_in.now_s.store(at(text).timestamp(), Ordering::SeqCst);
    }

    fn advance(&self, span: TimeDelta) {
        self.service.clock.advance(span);
        self.stand_in.now_s.fetch_add(span.num_seconds(), Ordering::SeqCst);
    }

    fn draft(&self, provider: BillProvider, kinds: &[BillKind], first: &str) -> BillSourceDraft {
        let account = match provider {
            BillProvider::WechatPay => MCHID,
            BillProvider::Alipay => APP_ID,
        };
        BillSourceDraft {
            store: self.store,
            provider,
            account: account.to_owned(),
            kinds: kinds.to_vec(),
            is_on: true,
            first_day: day(first),
            public: PublicPart {
                fingerprint: SigningKey::read(MERCHANT_KEY).unwrap().fingerprint(),
                certificate_serial: SERIAL.to_owned(),
                platform_id: PLATFORM_ID.to_owned(),
                platform_keys: PLATFORM_PUBLIC.to_owned(),
            },
            private_key: Opened::new(MERCHANT_KEY.into()),
        }
    }

    async fn keep(&self, draft: &BillSourceDraft) -> i64 {
        let now = self.service.clock.now();
        self.context.database.replace_bill_source(&self.service.state.seal, draft, now).await.unwrap()
    }

    async fn switch_on(&self, provider: BillProvider, kinds: &[BillKind], first: &str) -> i64 {
        self.keep(&self.draft(provider, kinds, first)).await
    }

    async fn source(&self, id: i64) -> BillSource {
        let sources = self.context.database.bill_sources().await.unwrap();
        sources.into_iter().find(|source| source.id == id).unwrap()
    }

    async fn run(&self) -> u64 {
        self.fetch.run(&self.context).await.unwrap().done
    }

    /// Day, state and code of every bill on the list, newest first.
    async fn list(&self, source: i64) -> Vec<BillFetch> {
        self.context.database.bill_fetches(source, day("2020-01-01")).await.unwrap()
    }

    async fn only(&self, source: i64) -> BillFetch {
        let mut list = self.list(source).await;
        assert_eq!(list.len(), 1, "{list:?}");
        list.remove(0)
    }

    async fn inbox_rows(&self) -> i64 {
        self.context.database.inbox_backlog().await.unwrap().rows
    }
}

fn job(service: &TestService, gateways: Gateways) -> FetchBills {
    let state = &service.state;
    let (intake, pseudonyms) = (Arc::clone(&state.intake), Arc::clone(&state.pseudonyms));
    FetchBills::new(gateways, intake, pseudonyms, state.seal.clone(), &state.config.data_dir).unwrap()
}

fn bill(name: &str) -> Say {
    Say::Bill(std::fs::read(fixture(name)).unwrap())
}

const TRADE: &[BillKind] = &[BillKind::Trade];

#[tokio::test]
async fn nothing_calls_out_unless_somebody_switched_it_on() {
    let world = World::new().await;
    assert_eq!(world.run().await, 0);
    let off = BillSourceDraft { is_on: false, ..world.draft(BillProvider::WechatPay, TRADE, "2026-11-18") };
    let id = world.keep(&off).await;
    let gone = world.switch_on(BillProvider::Alipay, TRADE, "2026-11-18").await;
    world.context.database.forget_bill_source_key(gone, world.service.clock.now()).await.unwrap();
    for _ in 0..3 {
        world.advance(TimeDelta::hours(13));
        assert_eq!(world.run().await, 0);
    }
    assert!(world.list(id).await.is_empty() && world.stand_in.heard().is_empty());
    // Switched on, listed, and off again before the next run: what stands on the list is not asked for either.
    let database = &world.context.database;
    let now = world.service.clock.now();
    database.add_bill_fetches(id, &[(BillKind::Trade, day("2026-11-20"))], now).await.unwrap();
    assert_eq!(world.run().await, 0);
    assert!(world.stand_in.heard().is_empty());
    database.set_bill_source(id, TRADE, true, day("2026-11-20"), now).await.unwrap();
    assert!(world.run().await > 0);
    assert!(!world.stand_in.heard().is_empty());
}

#[tokio::test]
async fn a_trade_bill_of_wechat_pay_comes_in_as_if_it_was_uploaded() {
    let world = World::new().await;
    let id = world.switch_on(BillProvider::WechatPay, TRADE, "2026-11-20").await;
    world.set("2026-11-21T09:59:00");
    assert_eq!((world.run().await, world.stand_in.heard().len()), (0, 0));
    world.set("2026-11-21T10:00:00");
    world.stand_in.will_say([bill(WECHAT_BILL)]);
    assert_eq!(world.run().await, 1);
    assert_eq!(
        world.stand_in.heard(),
        ["/v3/bill/tradebill?bill_date=2026-11-20&bill_type=ALL&tar_type=GZIP"]
    );
    assert_eq!(world.stand_in.bad(), Vec::<String>::new());
    let fetched = world.only(id).await;
    assert_eq!((fetched.state, fetched.tries, fetched.told.code.as_str()), (FetchState::Fetched, 1, ""));
    let database = &world.context.database;
    let import = database.import(fetched.import.unwrap()).await.unwrap().unwrap();
    assert_eq!((import.state, import.findings.rows), (ImportState::Done, 6));
    assert_eq!(import.file_name, "wechat_pay_1900000109_trade_2026-11-20.csv");
    assert_eq!(import.findings.totals, "matched");
    assert_eq!(world.inbox_rows().await, 6);
    // The same bill by hand is the same file; and the day is settled.
    let state = &world.service.state;
    let request = ImportRequest {
        store: world.store,
        path: fixture(WECHAT_BILL),
        file_name: WECHAT_BILL.to_owned(),
        mapping: None,
        hints: FileHints::default(),
        scratch: state.config.data_dir.clone(),
        now: state.clock.now(),
    };
    let again = begin_import(&state.intake, database, request).await.unwrap();
    assert!(matches!(again, Begun::Already(known) if known == import.id));
    world.advance(TimeDelta::hours(5));
    assert_eq!((world.run().await, world.stand_in.heard().len()), (0, 0));
    let left: Vec<_> = std::fs::read_dir(state.config.data_dir.join("fetched")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
    let text = String::from_utf8(world.context.metrics.text(0).unwrap()).unwrap();
    assert!(text.contains("tillwatch_bill_fetches_total{provider=\"wechat_pay\",result=\"fetched\"} 1"));
    assert!(text.contains("tillwatch_bill_fetches_total{provider=\"alipay\",result=\"failed\"} 0"));
}

#[tokio::test]
async fn not_ready_is_asked_again_after_half_an_hour_and_no_activity_is_the_end() {
    let world = World::new().await;
    let kinds = [BillKind::Trade, BillKind::FundFees];
    let id = world.switch_on(BillProvider::WechatPay, &kinds, "2026-11-20").await;
    // By kind: fund_fees, trade.
    world.stand_in.will_say([Say::NoActivity, Say::NotReady, bill(WECHAT_BILL)]);
    assert_eq!(world.run().await, 2);
    let states: Vec<_> = world.list(id).await.iter().map(|one| (one.kind, one.state)).collect();
    assert_eq!(
        states,
        [(BillKind::FundFees, FetchState::NoActivity), (BillKind::Trade, FetchState::Waiting)]
    );
    assert_eq!(world.list(id).await[0].payments_known, Some(0));
    world.advance(TimeDelta::minutes(29));
    assert_eq!(world.run().await, 0);
    world.advance(TimeDelta::minutes(1));
    assert_eq!(world.run().await, 1);
    assert_eq!(world.list(id).await[1].state, FetchState::Fetched);
    assert_eq!(world.stand_in.heard().len(), 3);
    assert_eq!(world.stand_in.bad(), Vec::<String>::new());
}

/// Alipay's payments of 20 November in Beijing, and others around it.
async fn known_payments(world: &World) {
    let of = |id: &str, at: &str, provider: &str| {
        let mut row = payment_of(world.store, id, at, Status::Succeeded);
        row.provider = Some(Word::of(provider));
        row
    };
    let rows = vec![
        of("before", "2026-11-19T15:59:59Z", "alipay"),
        of("first", "2026-11-19T16:00:00Z", "alipay"),
        of("last", "2026-11-20T15:59:59Z", "alipay"),
        of("after", "2026-11-20T16:00:00Z", "alipay"),
        of("other", "2026-11-20T05:00:00Z", "wechat_pay"),
    ];
    world.service.state.intake.accept_transactions(Word::of("api"), rows).await.unwrap();
    let fold = Fold::new(world.service.state.lake.as_ref().clone());
    while fold.run(&world.context).await.unwrap().done > 0 {}
}

#[tokio::test(flavor = "multi_thread")]
async fn alipay_is_asked_until_two_and_a_day_with_payments_but_no_bill_is_an_exception() {
    let world = World::new().await;
    known_payments(&world).await;
    let id = world.switch_on(BillProvider::Alipay, TRADE, "2026-11-20").await;
    let mut asked = 0;
    for _ in 0..40 {
        world.run().await;
        let heard = world.stand_in.heard();
        assert!(
            heard.iter().all(|one| one == r#"{"bill_type":"trade","bill_date":"2026-11-20"}"#),
            "{heard:?}"
        );
        asked += heard.len();
        world.advance(TimeDelta::minutes(7));
    }
    let end = world.only(id).await;
    // Every half hour from ten to two, both included, as far as a look every seven minutes allows.
    assert_eq!((end.state, end.payments_known, asked), (FetchState::NoBill, Some(2), 8));
    assert!(end.last_try_at.unwrap() >= at("2026-11-21T14:00:00"));
    assert_eq!(end.told.code, "no_bill");
    // It comes after all, and so does that of a day which WeChat Pay said was without activity.
    let wechat = world.switch_on(BillProvider::WechatPay, TRADE, "2026-11-20").await;
    world.stand_in.will_say([Say::NoActivity]);
    world.run().await;
    let exception = world.only(wechat).await;
    assert_eq!((exception.state, exception.payments_known), (FetchState::NoActivity, Some(1)));
    for (source, file) in [(id, ALIPAY_BILL), (wechat, WECHAT_BILL)] {
        world.context.database.ask_bill_fetches(source, world.service.clock.now()).await.unwrap();
        world.stand_in.will_say([bill(file)]);
        world.run().await;
        assert_eq!(world.only(source).await.state, FetchState::Fetched);
    }
    assert_eq!(world.stand_in.bad(), Vec::<String>::new());
}

#[tokio::test]
async fn the_zip_of_alipay_comes_in() {
    let world = World::new().await;
    let id = world.switch_on(BillProvider::Alipay, TRADE, "2026-11-20").await;
    world.stand_in.will_say([bill(ALIPAY_BILL)]);
    world.run().await;
    let fetched = world.only(id).await;
    assert_eq!((fetched.state, world.inbox_rows().await), (FetchState::Fetched, 4), "{fetched:?}");
    assert_eq!(world.stand_in.bad(), Vec::<String>::new());
}

#[tokio::test]
async fn account_bills_of_both_providers_come_in_as_well() {
    let world = World::new().await;
    let wechat = world.switch_on(BillProvider::WechatPay, &[BillKind::FundBasic], "2026-11-20").await;
    world.stand_in.will_say([bill("synthetic_v3_fundflow_BASIC.csv")]);
    world.run().await;
    let alipay = world.switch_on(BillProvider::Alipay, &[BillKind::Account], "2026-11-20").await;
    world.stand_in.will_say([bill("synthetic_signcustomer_20261120.csv.zip")]);
    world.run().await;
    for source in [wechat, alipay] {
        let fetched = world.only(source).await;
        assert_eq!(fetched.state, FetchState::Fetched, "{fetched:?}");
        let import = world.context.database.import(fetched.import.unwrap()).await.unwrap().unwrap();
        assert!(import.findings.rows > 0, "{import:?}");
    }
    assert_eq!(
        world.stand_in.heard(),
        [
            "/v3/bill/fundflowbill?bill_date=2026-11-20&account_type=BASIC&tar_type=GZIP",
            r#"{"bill_type":"signcustomer","bill_date":"2026-11-20"}"#
        ]
    );
}

#[tokio::test]
async fn a_kind_that_is_switched_off_is_asked_for_no_more() {
    let world = World::new().await;
    let kinds = [BillKind::Trade, BillKind::FundBasic];
    let id = world.switch_on(BillProvider::WechatPay, &kinds, "2026-11-18").await;
    // By day and kind: fund_basic, trade of the 20th, of the 19th, of the 18th.
    world.stand_in.will_say([Say::NoActivity, Say::NoActivity]);
    world.run().await;
    assert_eq!(world.stand_in.heard().len(), 6);
    let now = world.service.clock.now();
    world.context.database.set_bill_source(id, TRADE, true, day("2026-11-19"), now).await.unwrap();
    world.advance(TimeDelta::minutes(30));
    world.run().await;
    assert_eq!(
        world.stand_in.heard(),
        ["/v3/bill/tradebill?bill_date=2026-11-19&bill_type=ALL&tar_type=GZIP"]
    );
    // What is known stays known.
    let left: Vec<_> =
        world.list(id).await.iter().map(|one| (one.kind, one.day.to_string(), one.state)).collect();
    assert_eq!(
        left,
        [
            (BillKind::FundBasic, "2026-11-20".to_owned(), FetchState::NoActivity),
            (BillKind::Trade, "2026-11-20".to_owned(), FetchState::NoActivity),
            (BillKind::Trade, "2026-11-19".to_owned(), FetchState::Waiting),
        ]
    );
}

#[tokio::test]
async fn an_answer_with_anything_wrong_leaves_nothing_but_its_sentence() {
    let world = World::new().await;
    let id = world.switch_on(BillProvider::WechatPay, TRADE, "2026-11-20").await;
    for (say, code, state) in [
        (Say::WrongHash, "hash_wrong", FetchState::Waiting),
        (Say::WrongSignature, "signature_wrong", FetchState::Waiting),
        (Say::Unsigned, "not_signed", FetchState::Waiting),
        (Say::UnknownKey, "key_unknown", FetchState::Waiting),
        (Say::Late, "clock_differs", FetchState::Waiting),
        (Say::NoActivityUnsigned, "not_there", FetchState::Waiting),
        (Say::Elsewhere("http://169.254.169.254/latest/meta-data"), "elsewhere", FetchState::Waiting),
        (Say::Elsewhere("http://127.0.0.1:1/x"), "elsewhere", FetchState::Waiting),
        (Say::Elsewhere("https://api.mch.weixin.qq.com/x"), "elsewhere", FetchState::Waiting),
        (Say::Redirect("http://127.0.0.1:1/"), "redirected", FetchState::Waiting),
        (Say::BillRedirect("http://10.0.0.1/"), "redirected", FetchState::Waiting),
        (Say::CutOff, "cut_off", FetchState::Waiting),
        (Say::HalfAGzip, "cut_off", FetchState::Waiting),
        (Say::TooLong, "answer_too_long", FetchState::Waiting),
        (Say::Slow, "too_slow", FetchState::Waiting),
        (Say::HangUp, "no_answer", FetchState::Waiting),
        (Say::NotJson, "not_signed", FetchState::Waiting),
        (Say::Refuse(500, "SYSTEM_ERROR"), "told", FetchState::Waiting),
        (Say::Refuse(403, "NO_AUTH"), "told", FetchState::Failed),
        (Say::Bill(b"<html>error</html>".to_vec()), "error_answer", FetchState::Failed),
    ] {
        let now = world.service.clock.now();
        world.context.database.ask_bill_fetches(id, now).await.unwrap();
        world.stand_in.will_say([say.clone()]);
        world.run().await;
        let one = world.only(id).await;
        assert_eq!((one.told.code.as_str(), one.state), (code, state), "{say:?}: {one:?}");
        assert!(!one.told.sentence_en.is_empty() && !one.told.sentence_zh.is_empty());
        assert!(!one.told.sentence_en.contains("token"), "{one:?}");
    }
    assert_eq!((world.inbox_rows().await, world.stand_in.bad()), (0, Vec::new()));
    // And then it is as it should be.
    world.context.database.ask_bill_fetches(id, world.service.clock.now()).await.unwrap();
    world.stand_in.will_say([bill(WECHAT_BILL)]);
    world.run().await;
    assert_eq!(world.only(id).await.state, FetchState::Fetched);
}

#[tokio::test]
async fn alipays_answers_are_judged_as_strictly() {
    let world = World::new().await;
    let id = world.switch_on(BillProvider::Alipay, TRADE, "2026-11-20").await;
    for (say, code, state) in [
        (Say::WrongSignature, "signature_wrong", FetchState::Waiting),
        (Say::Unsigned, "not_signed", FetchState::Waiting),
        (Say::Elsewhere("http://dwbillcenter.alipay.com.evil.example/x"), "elsewhere", FetchState::Waiting),
        (Say::BillRedirect("http://192.168.0.1/"), "redirected", FetchState::Waiting),
        (Say::CutOff, "cut_off", FetchState::Waiting),
        (Say::NotJson, "answer_unreadable", FetchState::Waiting),
        (Say::Refuse(200, "isv.insufficient-isv-permissions"), "told", FetchState::Failed),
    ] {
        world.context.database.ask_bill_fetches(id, world.service.clock.now()).await.unwrap();
        world.stand_in.will_say([say.clone()]);
        world.run().await;
        let one = world.only(id).await;
        assert_eq!((one.told.code.as_str(), one.state), (code, state), "{say:?}: {one:?}");
    }
    assert_eq!(world.inbox_rows().await, 0);
}

#[tokio::test]
async fn a_bill_larger_than_any_is_not_taken() {
    let world = World::limited(100).await;
    let id = world.switch_on(BillProvider::WechatPay, TRADE, "2026-11-20").await;
    world.stand_in.will_say([bill(WECHAT_BILL)]);
    world.run().await;
    assert_eq!(world.only(id).await.told.code, "too_large");
    assert_eq!(world.inbox_rows().await, 0);
}

#[tokio::test]
async fn a_key_that_is_not_the_merchants_is_refused_by_the_provider_and_nothing_more_is_asked() {
    let world = World::new().await;
    let draft = world.draft(BillProvider::WechatPay, TRADE, "2026-11-10");
    let id = world
        .keep(&BillSourceDraft { private_key: Opened::new(stand_in::PLATFORM_KEY.into()), ..draft })
        .await;
    assert_eq!(world.run().await, 11);
    let list = world.list(id).await;
    assert!(list.iter().all(|one| one.state == FetchState::Failed && one.told.code == "told"), "{list:?}");
    assert_eq!(world.stand_in.bad().len(), 1, "one refusal is enough for all the days");
    // The right key, and everything that failed is asked for again.
    world.switch_on(BillProvider::WechatPay, TRADE, "2026-11-10").await;
    world.context.database.ask_bill_fetches(id, world.service.clock.now()).await.unwrap();
    world.stand_in.will_say(vec![Say::NoActivity; 11]);
    assert_eq!(world.run().await, 11);
    assert!(world.list(id).await.iter().all(|one| one.state == FetchState::NoActivity));
}

#[tokio::test]
async fn two_servers_do_not_both_fetch_and_a_dead_ones_bill_is_taken_over() {
    let world = World::new().await;
    let id = world.switch_on(BillProvider::WechatPay, TRADE, "2026-11-16").await;
    let gateway = Gateways::at(Some(&world.stand_in.address), None).unwrap();
    let other = job(&world.service, gateway);
    world.stand_in.will_say(vec![Say::NoActivity; 10]);
    let (one, two) = tokio::join!(world.fetch.run(&world.context), other.run(&world.context));
    assert_eq!(one.unwrap().done + two.unwrap().done, 5);
    let mut heard = world.stand_in.heard();
    heard.sort();
    heard.dedup();
    assert_eq!(heard.len(), 5);
    assert!(world.list(id).await.iter().all(|one| one.tries == 1));
    // A server takes the next day's bill and dies.
    world.set("2026-11-22T10:00:00");
    let now = world.service.clock.now();
    let database = &world.context.database;
    database.add_bill_fetches(id, &[(BillKind::Trade, day("2026-11-21"))], now).await.unwrap();
    let due = database.due_bill_fetches(now, now + TimeDelta::hours(7), 9).await.unwrap();
    let dead = database.claim_bill_fetch(&due[0], now + TimeDelta::minutes(45)).await.unwrap().unwrap();
    assert!(database.claim_bill_fetch(&due[0], now + TimeDelta::minutes(45)).await.unwrap().is_none());
    world.advance(TimeDelta::minutes(44));
    assert_eq!(world.run().await, 0);
    world.advance(TimeDelta::minutes(1));
    assert_eq!(world.run().await, 1);
    assert_eq!(world.list(id).await[0].state, FetchState::NoActivity);
    // It was not dead after all: what it says now is not heard.
    let outcome = tillwatch::store::FetchOutcome {
        state: FetchState::Failed,
        next_try_at: now,
        told: tillwatch::store::Told::default(),
        import: None,
        payments_known: None,
    };
    assert!(!database.settle_bill_fetch(&dead, &outcome, now).await.unwrap());
    assert_eq!(world.list(id).await[0].state, FetchState::NoActivity);
}

#[tokio::test]
async fn a_server_that_slept_and_a_clock_that_jumps_miss_no_day() {
    let world = World::new().await;
    let id = world.switch_on(BillProvider::WechatPay, TRADE, "2026-11-20").await;
    world.stand_in.will_say([Say::NoActivity]);
    world.run().await;
    // Asleep over three days: the newest is asked for first.
    world.set("2026-11-24T11:00:00");
    world.stand_in.will_say(vec![Say::NoActivity; 3]);
    world.run().await;
    let days: Vec<String> = world.stand_in.heard()[1..].iter().map(|path| path[29..39].to_owned()).collect();
    assert_eq!(days, ["2026-11-23", "2026-11-22", "2026-11-21"]);
    // The clock runs two years ahead: days that never were come onto the list, and wait until some far time.
    world.set("2028-12-01T12:00:00");
    world.run().await;
    assert_eq!(world.list(id).await[0].day, day("2028-11-30"));
    // Set right: those days go, and the day that is due is asked for at once.
    world.set("2026-11-25T10:00:00");
    world.stand_in.will_say([Say::NoActivity]);
    world.stand_in.heard();
    world.run().await;
    assert_eq!(world.stand_in.heard().len(), 1);
    let list = world.list(id).await;
    assert_eq!((list[0].day, list.len()), (day("2026-11-24"), 5));
    assert!(list.iter().all(|one| one.state == FetchState::NoActivity), "{list:?}");
    // A day that waits for a time which a wrong clock wrote down is due as well.
    world.set("2026-11-26T10:00:00");
    world.run().await;
    let waiting = world.list(id).await.remove(0);
    let far = world.service.clock.now() + TimeDelta::days(300);
    world.context.database.claim_bill_fetch(&waiting, far).await.unwrap().unwrap();
    world.stand_in.will_say([Say::NoActivity]);
    world.run().await;
    assert_eq!(world.list(id).await[0].state, FetchState::NoActivity);
}

#[tokio::test]
async fn a_long_absence_is_made_up_for_in_steps_within_three_months() {
    let world = World::new().await;
    let id = world.switch_on(BillProvider::WechatPay, TRADE, "2020-01-01").await;
    world.stand_in.will_say(vec![Say::NoActivity; 200]);
    let mut runs = 0;
    while world.run().await > 0 {
        runs += 1;
    }
    let list = world.list(id).await;
    assert_eq!((list.len(), runs), (92, 5));
    assert_eq!((list[0].day, list[91].day), (day("2026-11-20"), day("2026-08-21")));
}

#[tokio::test]
async fn the_private_key_is_sealed_and_gone_when_it_is_deleted() {
    let world = World::new().await;
    let id = world.switch_on(BillProvider::WechatPay, TRADE, "2026-11-20").await;
    let source = world.source(id).await;
    assert!(!format!("{source:?}").contains("PRIVATE KEY") && source.has_key);
    let database = &world.context.database;
    let opened = database.bill_source_key(&world.service.state.seal, &source).await.unwrap();
    assert_eq!(opened.reveal(), MERCHANT_KEY.as_bytes());
    // Under another installation's secret, or as another account's, it does not open.
    assert!(database.bill_source_key(&Seal::new([5; 32]), &source).await.is_err());
    let other = BillSource { account: "1900000110".into(), ..source.clone() };
    assert!(database.bill_source_key(&world.service.state.seal, &other).await.is_err());
    let body: String = MERCHANT_KEY.lines().nth(3).unwrap().to_owned();
    for entry in std::fs::read_dir(&world.service.state.config.data_dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            assert!(!bytes.windows(body.len()).any(|part| part == body.as_bytes()), "{}", path.display());
        }
    }
    database.forget_bill_source_key(id, world.service.clock.now()).await.unwrap();
    let source = world.source(id).await;
    assert!(!source.has_key && !source.is_on && source.public == PublicPart::default());
    assert!(database.bill_source_key(&world.service.state.seal, &source).await.is_err());
}
