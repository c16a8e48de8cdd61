use chrono::{DateTime, FixedOffset};

use super::*;
use crate::domain::BillKind;
use crate::intake::fetching::Advice;

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

/// An instant by Beijing's clock.
fn at(text: &str) -> Instant {
    DateTime::<FixedOffset>::parse_from_rfc3339(&format!("{text}+08:00")).unwrap().to_utc()
}

fn waiting(text: &str, tries: i64) -> BillFetch {
    BillFetch {
        source: 1,
        kind: BillKind::Trade,
        day: day(text),
        state: FetchState::Waiting,
        tries,
        next_try_at: at("2026-11-21T10:00:00"),
        last_try_at: None,
        told: Told::default(),
        import: None,
        payments_known: None,
    }
}

#[test]
fn yesterdays_bill_is_asked_for_from_ten_in_beijing() {
    for (now, newest) in [
        ("2026-11-21T09:59:59", "2026-11-19"),
        ("2026-11-21T10:00:00", "2026-11-20"),
        ("2026-11-22T00:00:00", "2026-11-20"),
        ("2026-11-22T09:59:59", "2026-11-20"),
        // Ends of months and years, and a leap day.
        ("2026-03-01T10:00:00", "2026-02-28"),
        ("2028-03-01T10:00:00", "2028-02-29"),
        ("2027-01-01T10:00:00", "2026-12-31"),
    ] {
        assert_eq!(newest_day(at(now)), day(newest), "{now}");
    }
}

#[test]
fn a_server_that_slept_asks_for_each_day_it_missed_within_the_providers_reach() {
    let asked = |provider, first: &str, now: &str| -> Vec<String> {
        days(provider, day(first), at(now)).map(|day| day.to_string()).collect()
    };
    let three = ["2026-11-18", "2026-11-19", "2026-11-20"];
    assert_eq!(asked(BillProvider::WechatPay, "2026-11-18", "2026-11-21T10:00:00"), three);
    assert!(asked(BillProvider::WechatPay, "2026-11-21", "2026-11-21T10:00:00").is_empty());
    let long = asked(BillProvider::WechatPay, "2020-01-01", "2026-11-21T10:00:00");
    assert_eq!((long.first().unwrap().as_str(), long.len()), ("2026-08-21", 92));
    // Three months before the end of May is the end of February.
    assert_eq!(oldest_day(BillProvider::WechatPay, at("2026-05-31T12:00:00")), day("2026-02-28"));
    assert_eq!(asked(BillProvider::Alipay, "2020-01-01", "2026-11-21T10:00:00")[0], "2025-11-21");
    // A clock that went back: nothing is asked for.
    assert!(asked(BillProvider::Alipay, "2026-11-18", "1970-01-02T00:00:00").is_empty());
}

#[test]
fn no_bill_is_believed_of_alipay_from_two_in_the_afternoon() {
    let try_at = |now: &str| {
        let outcome = outcome(&waiting("2026-11-20", 0), BillProvider::Alipay, Came::NotThere, at(now));
        (outcome.state, outcome.next_try_at)
    };
    assert_eq!(try_at("2026-11-21T10:00:00"), (FetchState::Waiting, at("2026-11-21T10:30:00")));
    assert_eq!(try_at("2026-11-21T13:45:00"), (FetchState::Waiting, at("2026-11-21T14:00:00")));
    assert_eq!(try_at("2026-11-21T14:00:00").0, FetchState::NoBill);
    // A day that was missed and fetched later is over long ago.
    assert_eq!(try_at("2026-11-24T10:00:00").0, FetchState::NoBill);
}

#[test]
fn what_passes_is_tried_every_half_hour_and_later_every_six_hours() {
    let creating = |tries, now: &str| {
        outcome(&waiting("2026-11-20", tries), BillProvider::WechatPay, Came::NotReady, at(now))
    };
    let first = creating(0, "2026-11-21T10:00:00");
    assert_eq!((first.state, first.next_try_at), (FetchState::Waiting, at("2026-11-21T10:30:00")));
    assert_eq!(first.told.code, "not_ready");
    let late = creating(48, "2026-11-22T10:00:00");
    assert_eq!((late.state, late.next_try_at), (FetchState::Waiting, at("2026-11-22T16:00:00")));
    assert!(late.next_try_at - at("2026-11-22T10:00:00") < PAUSE_MAX);
    // After three months the provider has it no more.
    assert_eq!(creating(400, "2027-02-20T18:00:01").state, FetchState::Failed);
}

#[test]
fn what_does_not_pass_fails_at_once_and_says_what_to_do() {
    let of =
        |came| outcome(&waiting("2026-11-20", 0), BillProvider::WechatPay, came, at("2026-11-21T10:00:00"));
    let refused = |advice| Came::Fault(Fault::Told { code: "C".into(), message: "m".into(), advice });
    for advice in [Advice::CheckKey, Advice::OpenAccess, Advice::CheckAccount] {
        assert_eq!(of(refused(advice)).state, FetchState::Failed);
    }
    assert_eq!(of(refused(Advice::Wait)).state, FetchState::Waiting);
    for fault in
        [Fault::SignatureWrong, Fault::HashWrong, Fault::CutOff, Fault::TooSlow, Fault::ClockDiffers(9)]
    {
        let outcome = of(Came::Fault(fault.clone()));
        assert_eq!((outcome.state, outcome.told.code.as_str()), (FetchState::Waiting, fault.code()));
    }
    assert_eq!(of(Came::Bill(7)).import, Some(7));
    assert_eq!(of(Came::NoActivity).state, FetchState::NoActivity);
    let not_taken = of(Came::NotTaken(8, Told { code: "totals_differ".into(), ..Told::default() }));
    assert_eq!((not_taken.state, not_taken.import), (FetchState::Failed, Some(8)));
    assert_eq!(of(Came::Ours("disk".into())).state, FetchState::Waiting);
}
