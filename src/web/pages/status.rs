use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};
use askama::Template;
use chrono_tz::Tz;

use crate::analytics::{Quarantined, Snapshot};
use crate::domain::{Instant, Store};
use crate::store::{Backlog, HeldBatch, TaskRun};
use crate::web::door::Viewer;
use crate::web::page::{Area, Page};
use crate::web::{AppState, WebError, respond};

/// A job that has not succeeded for this many of its intervals (and two minutes) is overdue.
const OVERDUE_INTERVALS: i64 = 5;
const OVERDUE_MS_MIN: i64 = 120_000;
/// What waits longer than this for the fold is worth a warning.
const BACKLOG_WARN_MS: i64 = 60_000;

/// Batches set aside that are named one by one.
const HELD_SHOWN_MAX: i64 = 5;

pub fn routes(config: &mut web::ServiceConfig) {
    config.route("/s/{store}/status", web::get().to(show));
}

/// How well something is: the word of its tag and the colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Health {
    Good,
    Warn,
    Bad,
    Unknown,
}

impl Health {
    const fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Warn => "warn",
            Self::Bad => "bad",
            Self::Unknown => "",
        }
    }
}

struct JobLine {
    name: String,
    health: Health,
    state: String,
    every: String,
    last_success: String,
    took: String,
    runs: i64,
    error: String,
}

/// A file that cannot be read.
struct SetAsideLine {
    day: String,
    stream: String,
    rows: String,
    reason: String,
    since: String,
}

struct FeedLine {
    store: String,
    stream: String,
    provider: String,
    last_event: String,
    last_received: String,
}

#[derive(Template)]
#[template(path = "pages/status.html")]
struct StatusPage {
    page: Page,
    zone: String,
    facts: Vec<(String, String)>,
    backlog: String,
    backlog_health: Health,
    held: Vec<String>,
    set_aside: Vec<SetAsideLine>,
    jobs: Vec<JobLine>,
    feeds: Vec<FeedLine>,
}

/// `GET /s/{store}/status`: is the service itself well.
async fn show(
    request: HttpRequest,
    viewer: Viewer,
    store: web::Path<String>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    let page = viewer.page(&request, &store, Area::Status)?;
    let stores = viewer.stores_of(&store)?;
    let now = state.clock.now();
    let snapshot = state.snapshots.current();
    let backlog = state.database.inbox_backlog().await?;
    let held = state.database.held_batches(HELD_SHOWN_MAX).await?;
    let held_count = state.database.count_held_batches().await?;
    let runs = state.database.task_runs().await?;
    // The zone of the store shown; of several there is none that is right for all.
    let zone = match stores[..] {
        [only] => only.zone,
        _ => Tz::UTC,
    };
    let reader = Reader { page: &page, zone, now };
    let body = StatusPage {
        zone: zone.name().to_owned(),
        facts: reader.facts(&state, &snapshot),
        backlog: reader.backlog(&backlog),
        backlog_health: backlog_health(&backlog, now),
        held: reader.held(&held, held_count),
        set_aside: reader.set_aside(&snapshot),
        jobs: runs.iter().map(|run| reader.job(run)).collect(),
        feeds: reader.feeds(&snapshot, &stores),
        page,
    }
    .render()?;
    Ok(respond::html(&request, StatusCode::OK, body))
}

/// Says things in the reader's language and zone.
struct Reader<'a> {
    page: &'a Page,
    zone: Tz,
    now: Instant,
}

impl Reader<'_> {
    fn when(&self, at: Instant) -> String {
        let span = (self.now - at).num_milliseconds();
        let span = self.page.length_of_time(u64::try_from(span).unwrap_or(0));
        let ago = self.page.t_with("status-ago", &[("span", span.into())]);
        format!("{} ({ago})", self.page.when(at, self.zone))
    }

    fn facts(&self, state: &AppState, snapshot: &Snapshot) -> Vec<(String, String)> {
        let page = self.page;
        let up = (self.now - state.config.started_at).num_milliseconds();
        let folded =
            if snapshot.version == 0 { page.t("status-never") } else { self.when(snapshot.folded_at) };
        let free = fs4::available_space(&state.config.data_dir).map_or_else(|_| "–".to_owned(), size);
        let files: usize = snapshot.files.values().map(Vec::len).sum();
        let lake: u64 = snapshot.files.values().flatten().map(|file| file.size_bytes).sum();
        [
            ("status-version", env!("CARGO_PKG_VERSION").to_owned()),
            ("status-uptime", page.length_of_time(u64::try_from(up).unwrap_or(0))),
            ("status-data-version", page.count(snapshot.version)),
            ("status-folded", folded),
            ("status-database", size(state.database.size_bytes())),
            ("status-lake", page.t_with("status-files", &[("n", files.into()), ("size", size(lake).into())])),
            ("status-disk", free),
        ]
        .into_iter()
        .map(|(key, value)| (page.t(key), value))
        .collect()
    }

    fn backlog(&self, backlog: &Backlog) -> String {
        match backlog.oldest {
            None => self.page.t("status-backlog-none"),
            Some(oldest) => self.page.t_with(
                "status-backlog-some",
                &[
                    ("batches", backlog.batches.into()),
                    ("rows", self.page.count(backlog.rows).into()),
                    ("oldest", self.when(oldest).into()),
                ],
            ),
        }
    }

    fn held(&self, batches: &[HeldBatch], count: i64) -> Vec<String> {
        let mut lines: Vec<String> = batches
            .iter()
            .map(|batch| {
                self.page.t_with(
                    "status-batch-held-line",
                    &[
                        ("seq", batch.seq.to_string().into()),
                        ("stream", self.page.word("stream", batch.stream.as_str()).into()),
                        ("rows", batch.rows.into()),
                        ("since", self.when(batch.held_at).into()),
                        ("reason", batch.reason.clone().into()),
                    ],
                )
            })
            .collect();
        let more = count - i64::try_from(batches.len()).unwrap_or(count);
        if more > 0 {
            lines.push(self.page.t_with("status-batch-held-more", &[("n", more.into())]));
        }
        lines
    }

    fn job(&self, run: &TaskRun) -> JobLine {
        let health = job_health(run, self.now);
        let state = match health {
            Health::Good => "status-job-good",
            Health::Warn => "status-job-overdue",
            Health::Bad => "status-job-failing",
            Health::Unknown => "status-job-waiting",
        };
        let span = |ms: i64| self.page.length_of_time(u64::try_from(ms).unwrap_or(0));
        JobLine {
            name: self.page.word("job", &run.task),
            health,
            state: self.page.t(state),
            every: span(run.interval_ms),
            last_success: run.last_success_at.map_or_else(|| "–".to_owned(), |at| self.when(at)),
            took: span(run.last_duration_ms),
            runs: run.runs,
            error: if health == Health::Bad { run.last_error.clone() } else { String::new() },
        }
    }

    fn set_aside(&self, snapshot: &Snapshot) -> Vec<SetAsideLine> {
        let line = |one: &Quarantined| SetAsideLine {
            day: self.page.day(one.file.day),
            stream: self.page.word("stream", one.file.stream.as_str()),
            rows: self.page.count(i64::try_from(one.file.rows).unwrap_or(i64::MAX)),
            reason: one.reason.clone(),
            since: self.when(one.since),
        };
        snapshot.quarantined.values().flatten().map(line).collect()
    }

    fn feeds(&self, snapshot: &Snapshot, stores: &[&Store]) -> Vec<FeedLine> {
        let named = |id| stores.iter().find(|store| store.id == id).map(|store| store.name.clone());
        snapshot
            .freshness
            .iter()
            .filter_map(|((store, stream, provider), fresh)| {
                Some(FeedLine {
                    store: named(*store)?,
                    stream: self.page.word("stream", stream.as_str()),
                    provider: self.page.word("provider", provider),
                    last_event: self.when(fresh.last_event),
                    last_received: self.when(fresh.last_received),
                })
            })
            .collect()
    }
}

fn job_health(run: &TaskRun, now: Instant) -> Health {
    if run.failures_in_row > 0 {
        return Health::Bad;
    }
    let Some(success) = run.last_success_at else { return Health::Unknown };
    let patience_ms = (run.interval_ms.saturating_mul(OVERDUE_INTERVALS)).max(OVERDUE_MS_MIN);
    if (now - success).num_milliseconds() > patience_ms { Health::Warn } else { Health::Good }
}

fn backlog_health(backlog: &Backlog, now: Instant) -> Health {
    match backlog.oldest {
        Some(oldest) if (now - oldest).num_milliseconds() > BACKLOG_WARN_MS => Health::Warn,
        _ => Health::Good,
    }
}

/// Bytes for people, in powers of ten: `12.3 MB`.
fn size(bytes: u64) -> String {
    let (unit, name) = match bytes {
        0..1_000_000 => (1_000, "kB"),
        1_000_000..1_000_000_000 => (1_000_000, "MB"),
        _ => (1_000_000_000, "GB"),
    };
    let tenths = bytes / (unit / 10);
    format!("{}.{} {name}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::domain::instant_from_ms;

    #[test]
    fn sizes_are_written_with_one_decimal() {
        assert_eq!(size(0), "0.0 kB");
        assert_eq!(size(999_950), "999.9 kB");
        assert_eq!(size(12_345_678), "12.3 MB");
        assert_eq!(size(1_500_000_000), "1.5 GB");
    }

    #[test]
    fn a_job_is_overdue_after_five_intervals_and_failing_after_one_failure() {
        let now = instant_from_ms(1_700_000_000_000);
        let mut run = TaskRun::new("fold", 60_000, now);
        assert_eq!(job_health(&run, now), Health::Unknown);
        run.last_success_at = Some(now - TimeDelta::minutes(4));
        assert_eq!(job_health(&run, now), Health::Good);
        run.last_success_at = Some(now - TimeDelta::minutes(6));
        assert_eq!(job_health(&run, now), Health::Warn);
        run.failures_in_row = 1;
        assert_eq!(job_health(&run, now), Health::Bad);
    }
}
