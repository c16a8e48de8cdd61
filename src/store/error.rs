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
    /// A newer program wrote these data, and this one would damage them.
    #[error("these data were written by Tillwatch {} or a newer one; this is {}, which would damage them: install that version", newer(written_by), env!("CARGO_PKG_VERSION"))]
    Newer { written_by: String },
    /// A setting that a durable acknowledgement rests on is not in force.
    #[error("refusing to run: {0}")]
    Unsafe(String),
}

/// The version to install, as far as it is known.
fn newer(written_by: &str) -> &str {
    if written_by.is_empty() { "of a later release" } else { written_by }
}

/// What PostgreSQL says when it is going away or not there yet, or gave a connection up: connection faults, a server that
/// stops, a time limit on a lock or an idle transaction, a deadlock.
const POSTGRES_AWAY: [&str; 5] = ["08", "57P", "55P03", "25P03", "40P01"];

/// SQLite's primary codes after which nothing it says can be trusted: I/O error, corrupt file, not a database.
const FATAL_SQLITE_CODES: [i32; 3] = [10, 11, 26];

impl StoreError {
    /// True when the disk or the database file cannot be trusted any more. PostgreSQL's codes are other words in the
    /// same place, and it stops by itself.
    pub(super) fn is_a_lying_disk(&self) -> bool {
        let Self::Unavailable(sqlx::Error::Database(cause)) = self else { return false };
        let Some(cause) = cause.try_downcast_ref::<sqlx::sqlite::SqliteError>() else { return false };
        let code = sqlx::error::DatabaseError::code(cause).and_then(|code| code.parse::<i32>().ok());
        code.is_some_and(|code| FATAL_SQLITE_CODES.contains(&(code & 0xff)))
    }

    /// True when it was the way to the database that failed, or the database for the moment: a write that is harmless to
    /// repeat may be repeated.
    pub fn is_connection_lost(&self) -> bool {
        let Self::Unavailable(error) = self else { return false };
        match error {
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::WorkerCrashed => true,
            sqlx::Error::Database(error) => {
                error.code().is_some_and(|code| POSTGRES_AWAY.iter().any(|away| code.starts_with(away)))
            }
            _ => false,
        }
    }

    /// True when a unique value was already taken.
    pub fn is_duplicate(&self) -> bool {
        matches!(self, Self::Unavailable(sqlx::Error::Database(error)) if error.is_unique_violation())
    }

    /// True when the database cannot be reached or is ending or starting: nothing is wrong with what was asked, and
    /// asking again helps.
    pub fn is_away(&self) -> bool {
        let Self::Unavailable(cause) = self else { return false };
        match cause {
            sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => true,
            // PostgreSQL: connection lost, too many of them, shutting down, starting up.
            sqlx::Error::Database(error) => error.code().is_some_and(|code| {
                ["08", "53", "57P"].iter().any(|class| code.starts_with(class)) && code.len() == 5
            }),
            _ => false,
        }
    }
}
