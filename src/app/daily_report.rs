//! The report of a store's last business day, through the robots that ask for it.
//!
//! It stands in `app` because it joins rooms that do not know each other: the report, its words, the outbox.

use std::time::Duration;

use anyhow::Context;
use chrono::{Days, NaiveDate, TimeDelta};

use crate::analytics::Snapshot;
use crate::domain::{Instant, Store, business_day_of, day_range};
use crate::jobs::{Job, JobContext, JobReport, fresh_blocks, wecom};
use crate::reports::{self, OverviewSection, Period, Query, Settings, Subject};
use crate::store::{Channel, Outgoing};
use crate::web::numbers;
use crate::web::texts::Language;

/// How long after the cut-off the report waits for records that are still on their way.
const GRACE: TimeDelta = TimeDelta::minutes(30);
/// A day whose report is later than this is left out: a robot set today does not tell of yesterday at midnight.
const LATE_MAX: TimeDelta = TimeDelta::hours(12);

/// The job.
pub struct DailyReport;

impl Job for DailyReport {
    const NAME: &'static str = "daily_report";

    fn interval(&self) -> Duration {
        Duration::from_mins(1)
    }

    async fn run(&self, context: &JobContext) -> anyhow::Result<JobReport> {
        let now = context.clock.now();
        let channels: Vec<Channel> = context.database.channels().await.context("reading the robots")?;
        let mut written = 0;
        for channel in channels.iter().filter(|channel| channel.daily_report) {
            for store in context.database.stores().await.context("reading the stores")? {
                let Some(day) =
                    day_due(&store, now).filter(|_| channel.store.is_none_or(|of| of == store.id))
                else {
                    continue;
                };
                let contracts =
                    context.database.contract_rates().await.context("reading the contract rates")?;
                let settings =
                    Settings { contracts: contracts.into_iter().map(|entry| entry.rate).collect() };
                let body = report_text(context, &store, day, &settings, &channel.language).await?;
                let once = format!("daily:{}:{}:{day}", channel.id, store.id.0);
                let message = Outgoing { channel: channel.id, body };
                if context
                    .database
                    .post_notification(&message, &once, now)
                    .await
                    .context("writing the report")?
                {
                    written += 1;
                }
            }
        }
        Ok(JobReport { done: written, more: false })
    }
}

/// The business day whose report may go out now: the last one, from half an hour after its end.
fn day_due(store: &Store, now: Instant) -> Option<NaiveDate> {
    let day = business_day_of(store, now).checked_sub_days(Days::new(1))?;
    let ended = day_range(store, day, day).ok()?.until;
    (ended + GRACE..ended + LATE_MAX).contains(&now).then_some(day)
}

/// The message, in the robot's own markup.
async fn report_text(
    context: &JobContext,
    store: &Store,
    day: NaiveDate,
    settings: &Settings,
    language: &str,
) -> anyhow::Result<String> {
    let language = Language::parse(language).unwrap_or(Language::Chinese);
    let period = Period::Custom { first: day, last: day };
    let query = Query::new(vec![store.clone()], period, context.clock.now());
    debug_assert!(!query.needs_rows(Subject::Money), "a day without filters is answered by rollups");
    let plan = |snapshot: &Snapshot| {
        let plan = query.plan(snapshot, settings, false).context("finding the day")?;
        let wanted = plan.wanted();
        Ok::<_, anyhow::Error>((plan, wanted))
    };
    let read = fresh_blocks(&context.database, &context.snapshots, plan).await;
    let (snapshot, plan, blocks) = read.context("reading the day's rollups")?;
    let view = plan.view(&snapshot, &blocks);
    let overview = reports::overview(&view, settings, &query).context("working the day out")?;
    let title = language.t_with(
        "report-title",
        &[("store", wecom::plain(&store.name).into()), ("day", numbers::day(language, day).into())],
    );
    let mut message = format!("**{title}**");
    for section in &overview.sections {
        for line in lines(language, section, overview.sections.len() > 1) {
            message.push_str("\n>");
            message.push_str(&line);
        }
    }
    if overview.sections.is_empty() {
        message.push_str("\n>");
        message.push_str(&language.t("report-nothing"));
    }
    Ok(wecom::cut(&message).to_owned())
}

fn lines(language: Language, section: &OverviewSection, coded: bool) -> Vec<String> {
    let ladder = &section.ladder.value;
    let money = |minor: Option<i128>| numbers::money(minor, section.currency, coded);
    let before = section.ladder.pair.as_ref().map(|pair| pair.before.paid);
    let mut lines = vec![
        language.t_with(
            "report-paid",
            &[("paid", money(Some(ladder.paid)).into()), ("n", ladder.payments.into())],
        ),
        language.t_with(
            "report-refunds",
            &[("refunded", money(Some(ladder.refunded)).into()), ("n", ladder.refunds.into())],
        ),
        language.t_with("report-fees", &[("fees", money(ladder.fees.total()).into())]),
        language.t_with("report-proceeds", &[("proceeds", money(ladder.net_proceeds()).into())]),
        language
            .t_with("report-success", &[("rate", numbers::share(section.success.value.share(), 1).into())]),
    ];
    if let Some(before) = before {
        lines.push(language.t_with("report-before", &[("paid", money(Some(before)).into())]));
    }
    lines
}

#[cfg(test)]
mod tests {
    use chrono::NaiveTime;

    use super::*;
    use crate::domain::{Currency, OrganisationId, StoreId};

    #[test]
    fn a_day_is_told_half_an_hour_after_its_own_end_and_not_half_a_day_late() {
        let bar = Store {
            id: StoreId(1),
            organisation: OrganisationId(1),
            slug: "bar".into(),
            name: "Bar".into(),
            zone: chrono_tz::Asia::Shanghai,
            cut_off: NaiveTime::from_hms_opt(4, 0, 0).unwrap(),
            week_start: chrono::Weekday::Mon,
            currency: Currency::CNY,
            language: "zh-Hans".into(),
        };
        let day = "2026-11-24".parse().unwrap();
        for (at, due) in [
            ("2026-11-24T20:29:59Z", None), // 04:29:59 on the 25th
            ("2026-11-24T20:30:00Z", Some(day)),
            ("2026-11-25T07:59:59Z", Some(day)),
            ("2026-11-25T08:00:00Z", None),
        ] {
            assert_eq!(day_due(&bar, at.parse().unwrap()), due, "{at}");
        }
    }
}
