//! How each job last ended.

use crate::domain::{Instant, instant_from_ms};

use super::statement::statement;
use super::{Database, StoreError};

const REPLACE_TASK_RUN: &str = include_str!("sql/replace_task_run.sql");
const SELECT_TASK_RUNS: &str = include_str!("sql/select_task_runs.sql");

/// The last runs of one job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskRun {
    /// The job's name.
    pub task: String,
    /// How often it is meant to run, in milliseconds.
    pub interval_ms: i64,
    pub last_started_at: Instant,
    pub last_duration_ms: i64,
    /// `None`: never yet.
    pub last_success_at: Option<Instant>,
    pub last_failure_at: Option<Instant>,
    /// Failures since the last success.
    pub failures_in_row: i64,
    /// The last failure's cause; kept after a success, for whoever asks later.
    pub last_error: String,
    /// Runs ever, this installation.
    pub runs: i64,
}

impl TaskRun {
    /// A job that has not run yet.
    pub fn new(task: &str, interval_ms: i64, now: Instant) -> Self {
        Self {
            task: task.to_owned(),
            interval_ms,
            last_started_at: now,
            last_duration_ms: 0,
            last_success_at: None,
            last_failure_at: None,
            failures_in_row: 0,
            last_error: String::new(),
            runs: 0,
        }
    }
}

#[derive(sqlx::FromRow)]
struct TaskRow {
    task: String,
    interval_ms: i64,
    last_started_ms: i64,
    last_duration_ms: i64,
    last_success_ms: Option<i64>,
    last_failure_ms: Option<i64>,
    failures_in_row: i64,
    last_error: String,
    runs: i64,
}

impl TaskRow {
    fn read(self) -> TaskRun {
        TaskRun {
            task: self.task,
            interval_ms: self.interval_ms,
            last_started_at: instant_from_ms(self.last_started_ms),
            last_duration_ms: self.last_duration_ms,
            last_success_at: self.last_success_ms.map(instant_from_ms),
            last_failure_at: self.last_failure_ms.map(instant_from_ms),
            failures_in_row: self.failures_in_row,
            last_error: self.last_error,
            runs: self.runs,
        }
    }
}

impl Database {
    /// Writes how a job last ended, in a transaction of its own.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn replace_task_run(&self, run: &TaskRun) -> Result<(), StoreError> {
        let mut write = self.begin_write().await?;
        statement(REPLACE_TASK_RUN)
            .bind(&run.task)
            .bind(run.interval_ms)
            .bind(run.last_started_at.timestamp_millis())
            .bind(run.last_duration_ms)
            .bind(run.last_success_at.map(|at| at.timestamp_millis()))
            .bind(run.last_failure_at.map(|at| at.timestamp_millis()))
            .bind(run.failures_in_row)
            .bind(&run.last_error)
            .bind(run.runs)
            .execute(write.connection())
            .await?;
        write.commit().await
    }

    /// Every job that ever ran here, by name.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn task_runs(&self) -> Result<Vec<TaskRun>, StoreError> {
        let rows: Vec<TaskRow> = statement(SELECT_TASK_RUNS).fetch_all(self.readers()).await?;
        Ok(rows.into_iter().map(TaskRow::read).collect())
    }
}
