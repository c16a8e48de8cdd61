//! Which bill of which day is here: the last thirty days of every source.

use std::collections::BTreeMap;

use chrono::{Days, NaiveDate, NaiveTime};
use chrono_tz::Tz;

use super::variant_words;
use crate::domain::{Instant, Store};
use crate::store::{ArrivedDay, Database, StoreError};
use crate::web::page::Page;

/// Days of a strip.
const STRIP_DAYS: u64 = 30;
/// A source is expected while a bill of it came within so many days.
const EXPECTED_DAYS: u64 = 60;
/// Providers with a bill for every day, in Beijing time, which is there at this hour of the next day.
const DAILY: [&str; 2] = ["wechat_pay", "alipay"];
const DUE_AT_HOUR: u32 = 10;

/// One source: an account, and which of its bills.
pub struct Strip {
    pub provider: String,
    pub account: String,
    pub bill: String,
    /// Oldest first.
    pub days: Vec<StripDay>,
    /// Days that are missing or late.
    pub missing: usize,
}

/// One day of a source.
pub struct StripDay {
    pub standing: Standing,
    /// The day and how it stands, in words.
    pub said: String,
}

/// How a day's bill stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Arrived,
    /// The bill says that nothing happened.
    NoActivity,
    /// It cannot be there yet.
    NotDue,
    /// Of yesterday, and should be there by now.
    Late,
    Missing,
    /// No bill of this day, of a source that has none for every day or was not known then.
    NoClaim,
}

impl Standing {
    /// Class in the style sheet and end of the text's key.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Arrived => "arrived",
            Self::NoActivity => "no-activity",
            Self::NotDue => "not-due",
            Self::Late => "late",
            Self::Missing => "missing",
            Self::NoClaim => "no-claim",
        }
    }

    /// What is shown beside the colour.
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Arrived => "●",
            Self::NoActivity => "○",
            Self::NotDue => "…",
            Self::Late => "!",
            Self::Missing => "×",
            Self::NoClaim => "–",
        }
    }

    /// Every standing, for the legend.
    pub const ALL: [Self; 6] =
        [Self::Arrived, Self::NoActivity, Self::NotDue, Self::Late, Self::Missing, Self::NoClaim];
}

/// The strips of a store's sources.
pub async fn strips(
    database: &Database,
    page: &Page,
    store: &Store,
    now: Instant,
) -> Result<Vec<Strip>, StoreError> {
    // A day more than is shown of the zone that is furthest ahead.
    let first = now.date_naive() - Days::new(EXPECTED_DAYS);
    let mut sources: BTreeMap<(String, String, String), BTreeMap<NaiveDate, ArrivedDay>> = BTreeMap::new();
    for day in database.arrived_days(store.id, first).await? {
        // Statements say how many pages they have.
        let bill = day.variant.split(" × ").next().unwrap_or_default().to_owned();
        let source = sources.entry((day.provider.clone(), day.account.clone(), bill)).or_default();
        source.insert(day.day, day);
    }
    let strips = sources.into_iter().map(|((provider, account, bill), arrived)| {
        let clock = SourceClock::of(&provider, store.zone, now);
        let bill = variant_words(page, &provider, &bill);
        let days: Vec<StripDay> = clock
            .days()
            .map(|day| {
                let standing = clock.standing(day, &arrived);
                let word = page.t(&format!("imports-day-{}", standing.word()));
                StripDay { standing, said: format!("{} {word}", page.day(day)) }
            })
            .collect();
        let is_missing = |day: &&StripDay| matches!(day.standing, Standing::Missing | Standing::Late);
        let missing = days.iter().filter(is_missing).count();
        Strip { provider, account, bill, days, missing }
    });
    Ok(strips.collect())
}

/// When a source's days end and its bills are due.
struct SourceClock {
    today: NaiveDate,
    time: NaiveTime,
    daily: bool,
}

impl SourceClock {
    fn of(provider: &str, zone: Tz, now: Instant) -> Self {
        let daily = DAILY.contains(&provider);
        let local = now.with_timezone(&if daily { Tz::Asia__Shanghai } else { zone });
        Self { today: local.date_naive(), time: local.time(), daily }
    }

    fn days(&self) -> impl Iterator<Item = NaiveDate> {
        (1..=STRIP_DAYS).rev().map(|ago| self.today - Days::new(ago))
    }

    fn standing(&self, day: NaiveDate, arrived: &BTreeMap<NaiveDate, ArrivedDay>) -> Standing {
        if let Some(arrived) = arrived.get(&day) {
            return if arrived.rows == 0 { Standing::NoActivity } else { Standing::Arrived };
        }
        let is_known = arrived.keys().next().is_some_and(|first| *first < day);
        let is_yesterday = day + Days::new(1) == self.today;
        let due = NaiveTime::from_hms_opt(DUE_AT_HOUR, 0, 0).unwrap_or(NaiveTime::MIN);
        match () {
            () if !self.daily || !is_known => Standing::NoClaim,
            () if is_yesterday && self.time < due => Standing::NotDue,
            () if is_yesterday => Standing::Late,
            () => Standing::Missing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn a_day_is_late_only_after_its_bill_is_due_and_once_the_source_is_known() {
        let arrived = |text: &str, rows| {
            let day = day(text);
            let (provider, account) = ("wechat_pay".to_owned(), "1".to_owned());
            (day, ArrivedDay { provider, account, variant: "ALL".into(), day, rows, import: 1 })
        };
        let known = BTreeMap::from([arrived("2026-11-20", 4), arrived("2026-11-21", 0)]);
        let clock = |now: &str, provider| SourceClock::of(provider, Tz::Europe__London, now.parse().unwrap());
        // 09:59 and 10:00 in Beijing.
        let before = clock("2026-11-25T01:59:00Z", "wechat_pay");
        let after = clock("2026-11-25T02:00:00Z", "wechat_pay");
        assert_eq!(before.standing(day("2026-11-24"), &known), Standing::NotDue);
        assert_eq!(after.standing(day("2026-11-24"), &known), Standing::Late);
        assert_eq!(after.standing(day("2026-11-23"), &known), Standing::Missing);
        assert_eq!(after.standing(day("2026-11-21"), &known), Standing::NoActivity);
        assert_eq!(after.standing(day("2026-11-20"), &known), Standing::Arrived);
        assert_eq!(after.standing(day("2026-11-19"), &known), Standing::NoClaim, "before the first");
        let bank = clock("2026-11-25T02:00:00Z", "bank");
        assert_eq!(bank.standing(day("2026-11-23"), &known), Standing::NoClaim, "no bill for every day");
        assert_eq!(after.days().last(), Some(day("2026-11-24")));
        assert_eq!(after.days().count(), 30);
    }
}
