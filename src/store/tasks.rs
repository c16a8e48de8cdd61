//! How each job last ended.

use sqlx::Row;

use crate::domain::{Instant, instant_from_ms};

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

impl Database {
    /// Writes how a job last ended, in a transaction of its own.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn replace_task_run(&self, run: &TaskRun) -> Result<(), StoreError> {
        let mut write = self.begin_write().await?;
        sqlx::query(REPLACE_TASK_RUN)
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
        let rows = sqlx::query(SELECT_TASK_RUNS).fetch_all(self.readers()).await?;
        rows.iter()
            .map(|row| {
                Ok(TaskRun {
                    task: row.try_get("task")?,
                    interval_ms: row.try_get("interval_ms")?,
                    last_started_at: instant_from_ms(row.try_get("last_started_ms")?),
                    last_duration_ms: row.try_get("last_duration_ms")?,
                    last_success_at: row.try_get::<Option<i64>, _>("last_success_ms")?.map(instant_from_ms),
                    last_failure_at: row.try_get::<Option<i64>, _>("last_failure_ms")?.map(instant_from_ms),
                    failures_in_row: row.try_get("failures_in_row")?,
                    last_error: row.try_get("last_error")?,
                    runs: row.try_get("runs")?,
                })
            })
            .collect()
    }
}
