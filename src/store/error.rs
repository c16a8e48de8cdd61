/// Why the database did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The statement or the commit failed, or its outcome is unknown: nothing may be acknowledged.
    #[error("the database did not answer: {0}")]
    Unavailable(#[from] sqlx::Error),
    /// A row breaks an invariant of ours; somebody else wrote it, or a bug did.
    #[error("row {row} of {table} is inconsistent: {what}")]
    Inconsistent { table: &'static str, row: String, what: String },
    /// A compare-and-set found another state than the one that was read.
    #[error("{0} was changed by somebody else meanwhile")]
    Conflict(&'static str),
    /// The migrations could not be applied.
    #[error("the schema could not be brought up to date: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// A setting that a durable acknowledgement rests on is not in force.
    #[error("refusing to run: {0}")]
    Unsafe(String),
}

impl StoreError {
    /// True when a unique value was already taken.
    pub fn is_duplicate(&self) -> bool {
        matches!(self, Self::Unavailable(sqlx::Error::Database(error)) if error.is_unique_violation())
    }
}
