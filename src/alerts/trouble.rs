//! Trouble of the installation itself: failing jobs, records that wait.

use chrono::TimeDelta;

use crate::domain::Instant;

use super::{AlertKind, Evidence, Finding, Scope, Severity, Verdict};

/// A job alarms after so many failures in a row, one that runs every six hours or rarer after the first.
const FAILURES_MIN: i64 = 2;
const RARE: TimeDelta = TimeDelta::hours(6);
/// Records that wait longer than this to be counted are trouble, and freeze every verdict about payments.
const WAIT_MAX: TimeDelta = TimeDelta::minutes(10);

/// How a job last ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskStanding {
    pub task: String,
    pub interval: TimeDelta,
    pub failures_in_row: i64,
    pub last_success: Option<Instant>,
    pub last_failure: Option<Instant>,
    pub last_error: String,
}

/// What waits in front of the fold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    pub batches: i64,
    pub rows: i64,
    pub oldest: Option<Instant>,
    /// The intake queue refuses records.
    pub queue_full: bool,
}

impl Waiting {
    /// True when the snapshot is too old to judge payments by.
    pub fn is_stale(&self, at: Instant) -> bool {
        self.oldest.is_some_and(|oldest| at - oldest > WAIT_MAX)
    }
}

/// Judges every job and the way in.
pub fn judge(tasks: &[TaskStanding], waiting: &Waiting, at: Instant) -> Vec<(Scope, Verdict)> {
    let mut verdicts: Vec<(Scope, Verdict)> =
        tasks.iter().map(|task| (scope(AlertKind::JobFailed, &task.task), judge_task(task, at))).collect();
    let stuck = waiting.is_stale(at) || waiting.queue_full;
    let verdict = if stuck {
        Verdict::Alarm(Box::new(Finding {
            onset_at: waiting.oldest.unwrap_or(at),
            severity: Severity::Critical,
            loss: None,
            evidence: Evidence::IngestLag {
                oldest: waiting.oldest,
                batches: waiting.batches,
                rows: waiting.rows,
                queue_full: waiting.queue_full,
            },
        }))
    } else {
        Verdict::Calm
    };
    verdicts.push((scope(AlertKind::IngestLag, "inbox"), verdict));
    verdicts
}

fn scope(kind: AlertKind, subject: &str) -> Scope {
    Scope { kind, store: None, provider: crate::domain::Word::NONE, subject: subject.to_owned() }
}

fn judge_task(task: &TaskStanding, at: Instant) -> Verdict {
    let enough = if task.interval >= RARE { 1 } else { FAILURES_MIN };
    if task.failures_in_row < enough {
        return Verdict::Calm;
    }
    Verdict::Alarm(Box::new(Finding {
        onset_at: task.last_success.or(task.last_failure).unwrap_or(at),
        severity: Severity::Warning,
        loss: None,
        evidence: Evidence::JobFailed {
            failures: task.failures_in_row,
            last_success: task.last_success,
            error: task.last_error.clone(),
        },
    }))
}
