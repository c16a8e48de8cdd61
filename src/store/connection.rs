use std::path::Path;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::sqlite::{
    SqliteAutoVacuum, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Executor, Sqlite, SqliteConnection, SqlitePool};

use super::StoreError;

/// Connections that read while the one writer writes (WAL).
const READERS_MAX: u32 = 4;
/// How long a statement waits for another process (a backup, a command) to let go.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Pages of the write-ahead log after which the writer itself checkpoints.
const WAL_AUTOCHECKPOINT_PAGES: &str = "2000";
/// The first SQLite with the fix of the write-ahead log's reset race (3.51.3).
const SQLITE_VERSION_MIN: (u32, u32, u32) = (3, 51, 3);

/// Every migration this program was built with.
pub(super) static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("migrations/sqlite");

/// The database: one connection that writes, a few that read.
///
/// Reads take [`Database::readers`]; writes take [`Database::begin_write`]. No request future writes records:
/// that is the writer task's (`store::writer`).
#[derive(Clone, Debug)]
pub struct Database {
    writer: SqlitePool,
    readers: SqlitePool,
}

impl Database {
    /// Opens (or creates) the database file, checks the settings that durability rests on, migrates.
    ///
    /// # Errors
    /// [`StoreError::Unsafe`] when a setting is not in force, else what the driver says.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .auto_vacuum(SqliteAutoVacuum::Incremental)
            .busy_timeout(BUSY_TIMEOUT)
            .foreign_keys(true)
            .pragma("wal_autocheckpoint", WAL_AUTOCHECKPOINT_PAGES)
            .pragma("journal_size_limit", "67108864")
            .pragma("cache_size", "-65536")
            .pragma("temp_store", "MEMORY")
            .pragma("mmap_size", "0")
            .pragma("trusted_schema", "OFF")
            .pragma("cell_size_check", "ON");
        let writer = SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
        MIGRATIONS.run(&writer).await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS_MAX)
            .connect_with(Self::reader_options(path))
            .await?;
        let database = Self { writer, readers };
        database.assert_durable().await?;
        Ok(database)
    }

    /// Settings of a reading connection. They name nothing that is kept in the file (`journal_mode`,
    /// `auto_vacuum`): setting those is a write, which a read-only connection is refused.
    fn reader_options(path: &Path) -> SqliteConnectOptions {
        SqliteConnectOptions::new()
            .filename(path)
            .read_only(true)
            .busy_timeout(BUSY_TIMEOUT)
            .pragma("cache_size", "-16384")
            .pragma("temp_store", "MEMORY")
            .pragma("mmap_size", "0")
            .pragma("trusted_schema", "OFF")
            .pragma("cell_size_check", "ON")
            .pragma("query_only", "ON")
    }

    /// Connections for reading; they refuse to write.
    pub const fn readers(&self) -> &SqlitePool {
        &self.readers
    }

    /// Begins a write transaction; waits for its turn.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn begin_write(&self) -> Result<WriteTransaction, StoreError> {
        let connection = self.writer.acquire().await?;
        let mut transaction = WriteTransaction { connection: Some(connection) };
        transaction.connection().execute("begin immediate").await?;
        Ok(transaction)
    }

    /// Closes every connection after the running statements.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    async fn assert_durable(&self) -> Result<(), StoreError> {
        let mut connection = self.writer.acquire().await?;
        let synchronous: i64 = sqlx::query_scalar("pragma synchronous").fetch_one(&mut *connection).await?;
        let journal: String = sqlx::query_scalar("pragma journal_mode").fetch_one(&mut *connection).await?;
        let version: String =
            sqlx::query_scalar("select sqlite_version()").fetch_one(&mut *connection).await?;
        if synchronous != 2 {
            return Err(StoreError::Unsafe(format!("synchronous is {synchronous}, not FULL")));
        }
        if journal != "wal" {
            return Err(StoreError::Unsafe(format!("journal_mode is {journal}, not wal")));
        }
        if parse_version(&version) < Some(SQLITE_VERSION_MIN) {
            return Err(StoreError::Unsafe(format!("SQLite {version} can corrupt its write-ahead log")));
        }
        Ok(())
    }
}

fn parse_version(text: &str) -> Option<(u32, u32, u32)> {
    let mut parts = text.split('.').map(|part| part.parse().ok());
    Some((parts.next()??, parts.next()??, parts.next()??))
}

/// A write transaction on the one writing connection.
///
/// Dropped without [`WriteTransaction::commit`], or after any failed statement or commit, its connection is closed
/// and replaced: sqlx 0.9 keeps counting a transaction that SQLite has already rolled back (a full disk), and every
/// later one on that connection would be refused.
#[derive(Debug)]
pub struct WriteTransaction {
    connection: Option<PoolConnection<Sqlite>>,
}

impl WriteTransaction {
    /// The connection, for statements inside the transaction.
    ///
    /// # Panics
    /// Never: the connection is there until `commit` consumes the transaction.
    #[expect(clippy::expect_used, reason = "present until `commit` takes the whole value")]
    pub fn connection(&mut self) -> &mut SqliteConnection {
        self.connection.as_mut().expect("a running transaction has its connection")
    }

    /// Commits; when this returns, the rows are on disk.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: the outcome is a roll-back or unknown; the connection has been replaced.
    pub async fn commit(mut self) -> Result<(), StoreError> {
        self.connection().execute("commit").await?;
        // Only a committed connection goes back to the pool: `drop` below closes every other one.
        drop(self.connection.take());
        Ok(())
    }
}

impl Drop for WriteTransaction {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            // Closing rolls back.
            drop(connection.detach());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_dropped_transaction_leaves_nothing_and_the_next_one_works() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("t.db")).await.unwrap();
        let insert = "insert into organisation (id, name, created_at_ms) values ($1, 'x', 0)";
        let mut lost = database.begin_write().await.unwrap();
        sqlx::query(insert).bind(1_i64).execute(lost.connection()).await.unwrap();
        drop(lost);
        let mut kept = database.begin_write().await.unwrap();
        sqlx::query(insert).bind(2_i64).execute(kept.connection()).await.unwrap();
        kept.commit().await.unwrap();
        let ids: Vec<i64> =
            sqlx::query_scalar("select id from organisation").fetch_all(database.readers()).await.unwrap();
        assert_eq!(ids, [2]);
    }

    #[tokio::test]
    async fn a_full_disk_does_not_brick_the_writer() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("t.db")).await.unwrap();
        let mut small = database.begin_write().await.unwrap();
        let pages: i64 = sqlx::query_scalar("pragma page_count").fetch_one(small.connection()).await.unwrap();
        sqlx::query(sqlx::AssertSqlSafe(format!("pragma max_page_count = {}", pages + 2)))
            .execute(small.connection())
            .await
            .unwrap();
        let insert = "insert into inbox (stream, row_count, arrow_ipc, received_at_ms) values ('transactions', 1, $1, 0)";
        let full = sqlx::query(insert).bind(vec![0_u8; 1 << 20]).execute(small.connection()).await;
        assert!(full.is_err(), "the planted limit was not reached");
        drop(small);
        // The limit was the old connection's; the new one has room again, as after space is freed.
        for _ in 0..3 {
            let mut write = database.begin_write().await.unwrap();
            sqlx::query(insert).bind(vec![0_u8; 1 << 20]).execute(write.connection()).await.unwrap();
            write.commit().await.unwrap();
        }
        let count: i64 =
            sqlx::query_scalar("select count(*) from inbox").fetch_one(database.readers()).await.unwrap();
        assert_eq!(count, 3);
    }
}
