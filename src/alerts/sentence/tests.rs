use chrono::{NaiveDate, TimeDelta};

use super::*;
use crate::alerts::{Scope, SeenHour, Severity};
use crate::domain::{Currency, StoreId};

fn at(text: &str) -> Instant {
    text.parse().unwrap()
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn episode(
    kind: AlertKind,
    provider: &str,
    subject: &str,
    evidence: Evidence,
    minor: Option<i128>,
) -> Episode {
    let onset_at = at("2026-11-24T06:00:00Z");
    Episode {
        id: 1,
        scope: Scope {
            kind,
            store: Some(StoreId(1)),
            provider: Word::of(provider),
            subject: subject.to_owned(),
        },
        state: AlertState::Firing,
        severity: Severity::Warning,
        onset_at,
        pending_at: onset_at,
        fired_at: Some(onset_at + TimeDelta::hours(1)),
        resolved_at: None,
        evaluated_at: onset_at + TimeDelta::minutes(100),
        rounds: 2,
        calm_since: None,
        frozen: false,
        found_late: false,
        loss: minor.map(|minor| Loss { minor, currency: Currency::CNY }),
        evidence,
        acknowledged: None,
    }
}

fn surprise() -> Surprise {
    Surprise::new(8.2, 1_500.0, 0.02)
}

fn drop_of(failed: i64, of: i64, usual: f64) -> Evidence {
    let hours: Vec<SeenHour> = Vec::new();
    let (from, until) = (at("2026-11-24T06:00:00Z"), at("2026-11-24T07:20:00Z"));
    Evidence::SuccessRateDrop { from, until, failed, of, usual, surprise: surprise(), hours }
}

fn fee(by_contract: bool) -> Evidence {
    Evidence::FeeMismatch {
        first_day: day("2026-11-13"),
        last_day: day("2026-11-24"),
        days: 12,
        count: 10_204,
        amount: 31_212_640,
        charged: 187_276,
        expected: 118_608,
        currency: Currency::CNY,
        reference_ppm: 3_800,
        by_contract,
    }
}

fn late(last: &str, missing: i64, sales: Option<i128>) -> Evidence {
    Evidence::SettlementLate {
        first_day: day("2026-11-23"),
        last_day: day(last),
        missing,
        due_at: at("2026-11-24T04:00:00Z"),
        had_days: 14,
        of_days: 14,
        sales,
        currency: Some(Currency::CNY),
    }
}

fn silent(exact: bool) -> Evidence {
    let (last_order, until) = (at("2026-11-24T06:22:00Z"), at("2026-11-24T09:40:00Z"));
    Evidence::TrafficSilence { last_order, exact, until, usual: 26.3, seen: 2, surprise: surprise() }
}

fn examples() -> Vec<Episode> {
    use AlertKind::{
        FeeMismatch, IngestLag, JobFailed, RefundSpike, SettlementLate, SuccessRateDrop, TrafficSilence,
    };
    let burst = Evidence::RefundSpike {
        from: at("2026-11-24T06:00:00Z"),
        until: at("2026-11-24T09:00:00Z"),
        refunds: 31,
        usual: 3.4,
        amount: 154_230,
        currency: Some(Currency::CNY),
        operator: Some(("W-03".to_owned(), 26)),
        surprise: surprise(),
        hours: Vec::new(),
    };
    let job = Evidence::JobFailed {
        failures: 3,
        last_success: Some(at("2026-11-24T05:00:00Z")),
        error: "writing the file: no space left on device".to_owned(),
    };
    let waiting = Evidence::IngestLag {
        oldest: Some(at("2026-11-24T05:40:00Z")),
        batches: 12,
        rows: 40_210,
        queue_full: true,
    };
    let mut over = episode(SuccessRateDrop, "alipay", "", drop_of(62, 326, 9.4), Some(420_000));
    over.state = AlertState::Resolved;
    over.resolved_at = Some(at("2026-11-24T08:40:00Z"));
    over.found_late = true;
    vec![
        episode(SuccessRateDrop, "wechat_pay", "", drop_of(62, 326, 9.4), Some(420_000)),
        episode(SuccessRateDrop, "stripe", "", drop_of(5, 6, 0.4), None),
        over,
        episode(TrafficSilence, "unionpay", "", silent(true), Some(71_200)),
        episode(TrafficSilence, "", "", silent(false), None),
        episode(SettlementLate, "alipay", "2088541209376615", late("2026-11-23", 1, Some(1_203_450)), None),
        episode(SettlementLate, "wechat_pay", "1688320417", late("2026-11-24", 2, None), None),
        episode(FeeMismatch, "wechat_pay", "CNY", fee(true), Some(68_668)),
        episode(FeeMismatch, "alipay", "CNY", fee(false), Some(68_668)),
        episode(RefundSpike, "", "", burst, Some(154_230)),
        episode(JobFailed, "", "fold", job, None),
        episode(IngestLag, "", "inbox", waiting, None),
    ]
}

fn told(tongue: Tongue) -> String {
    let place = Where { store: "南京西路店", zone: Tz::Asia__Shanghai };
    let mut out = String::new();
    for episode in examples() {
        let told = sentence(tongue, &episode, &place);
        assert!(told.title.chars().count() <= 80, "{}", told.title);
        let heading = kind_name(tongue, episode.scope.kind);
        out.extend(["# ", heading, "\n", &told.title, "\n", &told.lines.join("\n"), "\n\n"]);
    }
    out
}

#[test]
fn every_kind_is_told_in_english() {
    insta::assert_snapshot!("english", told(Tongue::English));
}

#[test]
fn every_kind_is_told_in_chinese() {
    let told = told(Tongue::Chinese);
    assert!(!told.contains('您'));
    insta::assert_snapshot!("chinese", told);
}

#[test]
fn numbers_are_exact_and_short() {
    let told = |minor, code: &str| money(Loss { minor, currency: Currency::parse(code).unwrap() });
    assert_eq!(told(123_456_789, "CNY"), "¥1,234,567.89");
    assert_eq!(told(-5, "CNY"), "−¥0.05");
    assert_eq!(told(1_200, "JPY"), "JPY 1,200");
    assert_eq!(told(1_500_000, "USDT"), "USDT 1.500000");
    assert_eq!(
        [percent_of_ppm(6_000), percent_of_ppm(3_750), percent_of_ppm(12)],
        ["0.60%", "0.375%", "0.0012%"]
    );
    assert_eq!(success(9.4, 326), "97.1%");
    assert_eq!([about(3.44), about(9.96), about(1234.4)], ["3.4", "10", "1,234"]);
}
