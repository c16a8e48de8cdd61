//! Runs jobs, each on its own task at its own interval.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::analytics::SnapshotCell;
use crate::domain::{Clock, Instant};
use crate::store::{Database, TaskRun};
use crate::telemetry::{Metrics, RunResult};

/// A run that changes nothing about a job's standing is written down at most this often.
const RECORD_EVERY_MS: i64 = 60_000;
/// A failing job waits this many times longer than its interval, at most.
const BACKOFF_FACTOR_MAX: u32 = 30;
/// Longest kept text of a failure.
const ERROR_CHARS_MAX: usize = 500;

/// What every job may use. What only one needs, that job holds itself.
#[derive(Clone)]
pub struct JobContext {
    pub database: Database,
    pub clock: Arc<dyn Clock>,
    pub snapshots: Arc<SnapshotCell>,
    pub metrics: Arc<Metrics>,
}

/// What a run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JobReport {
    /// Rows, files or messages dealt with; 0 is a run that found nothing to do.
    pub done: u64,
    /// More is waiting: run again at once.
    pub more: bool,
}

/// Work done again and again. Must be idempotent: it may be killed at any point and run again.
///
/// Long computation belongs on `tokio::task::spawn_blocking`.
pub trait Job: Send + Sync + 'static {
    /// Lower case, as in metrics and on the status page.
    const NAME: &'static str;

    /// The pause between the end of one run and the start of the next.
    fn interval(&self) -> Duration;

    /// One run.
    ///
    /// # Errors
    /// Whatever stopped it; it is logged, counted, and the job is tried again later.
    fn run(&self, context: &JobContext) -> impl Future<Output = anyhow::Result<JobReport>> + Send;
}

/// Starts jobs and stops them. One that fails or panics never stops another.
pub struct Runner {
    context: JobContext,
    stop: watch::Sender<bool>,
    tasks: Vec<(&'static str, JoinHandle<()>)>,
}

impl Runner {
    /// A runner without jobs.
    pub fn new(context: JobContext) -> Self {
        Self { context, stop: watch::Sender::new(false), tasks: Vec::new() }
    }

    /// Starts a job on the present tokio runtime (a multi-threaded one): its first run begins at once.
    pub fn spawn<J: Job>(&mut self, job: J) {
        let context = self.context.clone();
        let stop = self.stop.subscribe();
        self.tasks.push((J::NAME, tokio::spawn(repeat(job, context, stop))));
    }

    /// Asks every job to stop after its present run and waits at most `within`; what is still running then is dropped.
    pub async fn stop(self, within: Duration) {
        // Fails only when every job is gone already.
        let _ = self.stop.send(true);
        let deadline = tokio::time::Instant::now() + within;
        for (name, mut task) in self.tasks {
            if tokio::time::timeout_at(deadline, &mut task).await.is_err() {
                tracing::warn!(job = name, "still running at shutdown, dropped");
                task.abort();
            }
        }
    }
}

async fn repeat<J: Job>(job: J, context: JobContext, mut stop: watch::Receiver<bool>) {
    let interval_ms = i64::try_from(job.interval().as_millis()).unwrap_or(i64::MAX);
    let mut standing = known_standing::<J>(&context, interval_ms).await;
    let mut recorded_at: Option<Instant> = None;
    context.metrics.know_task(J::NAME, job.interval().as_secs_f64());
    loop {
        let failed_before = standing.failures_in_row > 0;
        let outcome = run_once(&job, &context, &mut standing).await;
        let due = recorded_at
            .is_none_or(|at| (standing.last_started_at - at).num_milliseconds() >= RECORD_EVERY_MS);
        if outcome.is_err() || failed_before || due {
            if let Err(error) = context.database.replace_task_run(&standing).await {
                tracing::warn!(job = J::NAME, %error, "the run could not be written down");
            }
            recorded_at = Some(standing.last_started_at);
        }
        let pause = match outcome {
            Ok(JobReport { more: true, .. }) => Duration::ZERO,
            Ok(_) => job.interval(),
            Err(()) => {
                let factor =
                    u32::try_from(standing.failures_in_row).unwrap_or(u32::MAX).min(BACKOFF_FACTOR_MAX);
                job.interval().saturating_mul(factor.max(1))
            }
        };
        tokio::select! {
            _ = stop.wait_for(|stopped| *stopped) => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// The standing from before a restart, so that two failures around it are still two in a row.
async fn known_standing<J: Job>(context: &JobContext, interval_ms: i64) -> TaskRun {
    let known = match context.database.task_runs().await {
        Ok(runs) => runs.into_iter().find(|run| run.task == J::NAME),
        Err(error) => {
            tracing::warn!(job = J::NAME, %error, "earlier runs are unknown");
            None
        }
    };
    let mut standing = known.unwrap_or_else(|| TaskRun::new(J::NAME, interval_ms, context.clock.now()));
    standing.interval_ms = interval_ms;
    standing
}

/// One run with its panic caught; notes the outcome in `standing`.
async fn run_once<J: Job>(job: &J, context: &JobContext, standing: &mut TaskRun) -> Result<JobReport, ()> {
    let started_at = context.clock.now();
    let timer = std::time::Instant::now();
    // A job's own state must survive its panic: jobs hold what they need between runs in locks or atomics.
    let outcome = AssertUnwindSafe(job.run(context)).catch_unwind().await;
    standing.last_started_at = started_at;
    let seconds = timer.elapsed().as_secs_f64();
    standing.last_duration_ms = i64::try_from(timer.elapsed().as_millis()).unwrap_or(i64::MAX);
    standing.runs += 1;
    let failure = match outcome {
        Ok(Ok(report)) => {
            standing.last_success_at = Some(started_at);
            standing.failures_in_row = 0;
            context.metrics.task_ran(J::NAME, RunResult::Succeeded, seconds, started_at);
            return Ok(report);
        }
        Ok(Err(error)) => format!("{error:#}"),
        Err(panic) => format!("panicked: {}", panic_text(panic.as_ref())),
    };
    context.metrics.task_ran(J::NAME, RunResult::Failed, seconds, started_at);
    tracing::error!(job = J::NAME, error = failure, "job failed");
    standing.last_failure_at = Some(started_at);
    standing.failures_in_row += 1;
    standing.last_error = failure.chars().take(ERROR_CHARS_MAX).collect();
    Err(())
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::domain::SystemClock;

    struct Steady(Arc<AtomicU64>);

    impl Job for Steady {
        const NAME: &'static str = "steady";
        fn interval(&self) -> Duration {
            Duration::from_millis(5)
        }
        async fn run(&self, _: &JobContext) -> anyhow::Result<JobReport> {
            let count = self.0.fetch_add(1, Ordering::SeqCst);
            Ok(JobReport { done: 1, more: count < 3 })
        }
    }

    struct Panicking;

    impl Job for Panicking {
        const NAME: &'static str = "panicking";
        fn interval(&self) -> Duration {
            Duration::from_millis(1)
        }
        async fn run(&self, _: &JobContext) -> anyhow::Result<JobReport> {
            panic!("planted")
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_job_that_panics_is_noted_and_stops_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("t.db")).await.unwrap();
        let context = JobContext {
            database: database.clone(),
            clock: Arc::new(SystemClock),
            snapshots: Arc::new(SnapshotCell::default()),
            metrics: Arc::new(Metrics::new().unwrap()),
        };
        let count = Arc::new(AtomicU64::new(0));
        let mut runner = Runner::new(context);
        runner.spawn(Panicking);
        runner.spawn(Steady(Arc::clone(&count)));
        for _ in 0..400 {
            let noted = database.task_runs().await.unwrap();
            let failed_twice = noted.iter().any(|run| run.task == "panicking" && run.failures_in_row >= 2);
            if failed_twice && count.load(Ordering::SeqCst) > 5 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        runner.stop(Duration::from_secs(2)).await;
        let noted = database.task_runs().await.unwrap();
        assert!(noted[0].failures_in_row >= 2, "{noted:?}");
        assert_eq!(noted[0].last_error, "panicked: planted");
        assert_eq!(noted[1].failures_in_row, 0);
        assert!(count.load(Ordering::SeqCst) > 5);
    }
}
