//! Judges everything that is watched and writes what changed, with its messages, in one transaction.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use chrono::TimeDelta;

use crate::alerts::{
    self, AlertKind, AlertState, Change, Episode, Inputs, Known, REPLAY_HOURS_MAX, Scope, Sources, Step,
    TaskStanding, Verdict, Waiting, hour_of,
};
use crate::analytics::{Blocks, Snapshot};
use crate::domain::{Instant, Range, Store, StoreId, Word};
use crate::intake::Intake;
use crate::store::{Channel, Outgoing, StoreError, TaskRun};
use crate::telemetry::{AlertCount, Metrics, RunResult};

use super::fresh::fresh_blocks;
use super::runner::{Job, JobContext, JobReport};
use super::wecom;

const INTERVAL: Duration = Duration::from_secs(30);
/// Episodes younger than this are read: they mask their hours from what is usual.
const EPISODES_READ: TimeDelta = TimeDelta::days(30);
/// More new alerts than this in one round are told in one message.
const STORM: usize = 20;
/// Hours this young still fill up; a change in older ones means that records came late.
const SETTLED_AFTER_HOURS: i64 = 2;

/// Counts of settled hours, to notice late records by.
type Fingerprint = BTreeMap<(StoreId, Word), i64>;

#[derive(Default)]
struct Memory {
    last_at: Option<Instant>,
    /// The hour up to which counts were taken, and the counts.
    settled: Option<(i64, Fingerprint)>,
}

/// The job. Its memory is only a hint: a restart judges the last 48 hours again.
pub struct EvaluateAlerts {
    intake: Option<Arc<Intake>>,
    memory: Mutex<Memory>,
}

impl EvaluateAlerts {
    /// Judging; with `intake` it also sees when the queue is full.
    pub fn new(intake: Option<Arc<Intake>>) -> Self {
        Self { intake, memory: Mutex::default() }
    }

    fn memory(&self) -> std::sync::MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn waiting(&self, context: &JobContext) -> anyhow::Result<Waiting> {
        let backlog = context.database.inbox_backlog().await.context("asking what waits")?;
        Ok(Waiting {
            batches: backlog.batches,
            rows: backlog.rows,
            oldest: backlog.oldest,
            queue_full: self.intake.as_ref().is_some_and(|intake| intake.is_full()),
        })
    }

    /// True when hours that had settled have other counts than at the last look (or there was none).
    fn records_came_late(&self, inputs: &Inputs, now: Instant) -> bool {
        let mut memory = self.memory();
        let count = |until: i64| -> Fingerprint {
            let from = hour_of(now) - REPLAY_HOURS_MAX;
            let started = |series: &alerts::Series| (from..until).map(|hour| series.cell(hour).started).sum();
            inputs.series.iter().map(|(key, series)| (*key, started(series))).collect()
        };
        // Compared over the same hours as then, as far as they are still in sight.
        let late = memory
            .settled
            .as_ref()
            .is_none_or(|(until, known)| *until > hour_of(now) - REPLAY_HOURS_MAX && count(*until) != *known);
        let until = hour_of(now) - SETTLED_AFTER_HOURS;
        let moved = memory.settled.as_ref().is_none_or(|(known, _)| *known != until);
        if late || moved {
            memory.settled = Some((until, count(until)));
        }
        late
    }
}

impl Job for EvaluateAlerts {
    const NAME: &'static str = "evaluate_alerts";

    fn interval(&self) -> Duration {
        INTERVAL
    }

    async fn run(&self, context: &JobContext) -> anyhow::Result<JobReport> {
        let now = context.clock.now();
        let round = Round::begin(context, self.waiting(context).await?, now).await?;
        let timer = std::time::Instant::now();
        let round = Arc::new(round);
        let inputs = {
            let round = Arc::clone(&round);
            let wanted = |_: &Snapshot| Ok(((), alerts::blocks_wanted(&round.sources, round.now)));
            let read = fresh_blocks::<_, StoreError>(&context.database, &context.snapshots, wanted).await;
            let (snapshot, (), blocks) = read.context("reading the rollups")?;
            tokio::task::spawn_blocking(move || round.gather(&snapshot, &blocks))
                .await
                .context("the thread that gathers died")?
        };
        let inputs = Arc::new(inputs);
        let mut known = round.known();
        let mut done = 0;
        if !inputs.waiting.is_stale(now) && self.records_came_late(&inputs, now) {
            done += round.replay(context, &inputs).await?;
            known = Round::begin(context, inputs.waiting, now).await?.known();
        }
        let since_last = self.memory().last_at.replace(now).map_or(TimeDelta::minutes(1), |last| now - last);
        let verdicts = {
            let (inputs, known) = (Arc::clone(&inputs), known.clone());
            tokio::task::spawn_blocking(move || alerts::evaluate(&inputs, &known, now))
                .await
                .context("the thread that judges died")?
        };
        measure(&context.metrics, &verdicts, timer.elapsed().as_secs_f64(), now);
        let before = known.open.clone();
        // A pause of the program is no replay: what fires now fires after the usual rounds.
        let changes = alerts::apply(&mut known, verdicts, now, since_last.min(TimeDelta::minutes(1)));
        freeze(&mut known, inputs.waiting.is_stale(now));
        let standing: Vec<Episode> = known
            .open
            .values()
            .filter(|episode| before.get(&episode.scope) != Some(episode))
            .cloned()
            .collect();
        done += changes.len();
        round.commit(context, &changes, &standing).await?;
        count_open(&context.metrics, &known, now);
        Ok(JobReport { done: u64::try_from(done)?, more: false })
    }
}

/// What one evaluation read.
struct Round {
    now: Instant,
    stores: Vec<Store>,
    sources: Sources,
    episodes: Vec<Episode>,
    tasks: Vec<TaskStanding>,
    waiting: Waiting,
    channels: Vec<Channel>,
}

impl Round {
    async fn begin(context: &JobContext, waiting: Waiting, now: Instant) -> anyhow::Result<Self> {
        let database = &context.database;
        let stores = database.stores().await.context("reading stores")?;
        let contracts = database.contract_rates().await.context("reading contracts")?;
        let episodes = database.episodes_since(now - EPISODES_READ).await.context("reading episodes")?;
        let accounts = database.sources_of_record().await.context("reading accounts")?;
        let by_file: BTreeSet<_> = accounts
            .into_iter()
            .filter(|(_, _, source)| source == "import")
            .map(|(store, account, _)| (store, account))
            .collect();
        let spans = episodes
            .iter()
            .map(|episode| {
                let until = episode.resolved_at.unwrap_or(now);
                (episode.scope.clone(), Range { from: episode.onset_at, until })
            })
            .collect();
        let sources = Sources {
            stores: stores.clone(),
            contracts: contracts.into_iter().map(|entry| entry.rate).collect(),
            by_file,
            episodes: spans,
        };
        let tasks =
            database.task_runs().await.context("reading task runs")?.iter().map(standing_of).collect();
        let channels = database.channels().await.context("reading channels")?;
        Ok(Self { now, stores, sources, episodes, tasks, waiting, channels })
    }

    fn known(&self) -> Known {
        let mut known = Known::default();
        for episode in &self.episodes {
            known.note(episode.clone());
        }
        known
    }

    fn gather(&self, snapshot: &Snapshot, blocks: &Blocks) -> Inputs {
        let mut inputs = alerts::gather(snapshot, blocks, &self.sources, self.now);
        inputs.tasks.clone_from(&self.tasks);
        inputs.waiting = self.waiting;
        inputs
    }

    /// Judges the last 48 hours again and writes what was missed; returns how much that was.
    async fn replay(&self, context: &JobContext, inputs: &Arc<Inputs>) -> anyhow::Result<usize> {
        let (inputs, told, now) = (Arc::clone(inputs), self.sources.episodes.clone(), self.now);
        let found = tokio::task::spawn_blocking(move || {
            alerts::replay(&inputs, &told, now - TimeDelta::hours(REPLAY_HOURS_MAX), now)
        })
        .await
        .context("the thread that judges the past died")?;
        let open: BTreeSet<&Scope> =
            self.episodes.iter().filter(|one| one.resolved_at.is_none()).map(|one| &one.scope).collect();
        let mut changes = Vec::new();
        for episode in found {
            // An open episode of the same scope goes on; a second one cannot stand beside it.
            if episode.resolved_at.is_none() && open.contains(&episode.scope) {
                continue;
            }
            let begun = Episode { state: AlertState::Firing, resolved_at: None, ..episode.clone() };
            changes.push(Change { episode: begun, step: Step::Firing });
            if episode.state == AlertState::Resolved {
                changes.push(Change { episode, step: Step::Resolved });
            }
        }
        // One episode after the other: two of one scope must not be open at once.
        for pair in changes.chunk_by(|one, other| {
            one.episode.scope == other.episode.scope && one.episode.onset_at == other.episode.onset_at
        }) {
            if open.contains(&pair[0].episode.scope) {
                continue;
            }
            self.commit(context, pair, &[]).await?;
        }
        Ok(changes.len())
    }

    async fn commit(
        &self,
        context: &JobContext,
        changes: &[Change],
        standing: &[Episode],
    ) -> anyhow::Result<()> {
        let firing = changes.iter().filter(|change| change.step == Step::Firing).count();
        let storm = firing > STORM;
        let compose = |change: &Change| if storm { Vec::new() } else { self.compose(change) };
        context
            .database
            .commit_evaluation(changes, standing, self.now, &compose)
            .await
            .context("writing the evaluation")?;
        if storm {
            for channel in self.channels.iter().filter(|channel| channel.store.is_none()) {
                let body = wecom::storm(firing, &channel.language);
                let once = format!("storm:{}:{}", self.now.timestamp_millis(), channel.id);
                let message = Outgoing { channel: channel.id, body };
                context.database.post_notification(&message, &once, self.now).await?;
            }
        }
        for change in changes {
            context.metrics.alert_changed(change.episode.scope.kind.as_str(), change.step.as_str());
        }
        Ok(())
    }

    /// The messages of a change: one for each robot that watches the store.
    fn compose(&self, change: &Change) -> Vec<Outgoing> {
        let tells = match change.step {
            Step::Firing | Step::Worse => !change.episode.found_late,
            Step::Resolved => true,
            Step::Pending | Step::Dropped => false,
        };
        if !tells {
            return Vec::new();
        }
        let store = self.stores.iter().find(|store| Some(store.id) == change.episode.scope.store);
        self.channels
            .iter()
            .filter(|channel| channel.store.is_none() || channel.store == change.episode.scope.store)
            .map(|channel| Outgoing {
                channel: channel.id,
                body: wecom::alert(&change.episode, store, &channel.language),
            })
            .collect()
    }
}

fn standing_of(run: &TaskRun) -> TaskStanding {
    TaskStanding {
        task: run.task.clone(),
        interval: TimeDelta::milliseconds(run.interval_ms),
        failures_in_row: run.failures_in_row,
        last_success: run.last_success_at,
        last_failure: run.last_failure_at,
        last_error: run.last_error.clone(),
    }
}

/// Marks the episodes that stand still because our own data are old.
fn freeze(known: &mut Known, stale: bool) {
    for episode in known.open.values_mut().filter(|episode| episode.scope.kind.needs_data()) {
        episode.frozen = stale;
    }
}

fn measure(metrics: &Metrics, verdicts: &[(Scope, Verdict)], seconds: f64, now: Instant) {
    let mut series: BTreeMap<(AlertKind, &str), u32> = BTreeMap::new();
    for (scope, verdict) in verdicts {
        let status = match verdict {
            Verdict::Learning => "learning",
            Verdict::NoData => "no_data",
            Verdict::Calm | Verdict::Alarm(_) => "ready",
        };
        *series.entry((scope.kind, status)).or_default() += 1;
    }
    metrics.set_alert_series(series.iter().map(|((kind, status), count)| (kind.as_str(), *status, *count)));
    for kind in AlertKind::ALL {
        metrics.know_alert_kind(kind.as_str(), u32::try_from(INTERVAL.as_secs()).unwrap_or(30));
        // All kinds are judged in one go: each is told the whole time.
        metrics.alerts_evaluated(kind.as_str(), RunResult::Succeeded, seconds, now);
    }
}

fn count_open(metrics: &Metrics, known: &Known, now: Instant) {
    let mut counts: BTreeMap<(AlertKind, &str, &str), u32> = BTreeMap::new();
    for episode in known.open.values() {
        let state = match episode.state {
            AlertState::Firing if episode.is_acknowledged(now) => "acknowledged",
            state => state.as_str(),
        };
        *counts.entry((episode.scope.kind, episode.severity.as_str(), state)).or_default() += 1;
    }
    metrics.set_alerts(counts.iter().map(|((kind, severity, state), count)| AlertCount {
        kind: kind.as_str(),
        severity,
        state,
        count: *count,
    }));
}
