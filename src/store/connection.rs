use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::pool::PoolConnection;
use sqlx::{Executor, PgPool, Postgres, SqlSafeStr, Sqlite, SqlitePool};

use crate::domain::{Promise, Sabotage};

use super::statement::statement;
use super::{DatabaseAddress, StoreError, postgres, sqlite};

/// How long PostgreSQL has to answer a commit until its outcome counts as unknown.
const COMMIT_ANSWERS_WITHIN: Duration = Duration::from_secs(30);

/// How long a write whose outcome is unknown is repeated.
const CONFIRMED_WITHIN: Duration = Duration::from_secs(20);
/// Pauses between the tries: each twice the one before.
const RETRY_PAUSE_MIN: Duration = Duration::from_millis(50);
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(1);

/// The database: connections that write, and some that read.
///
/// Reads take [`Database::readers`]; writes take [`Database::begin_write`]. No request future writes records:
/// that is the writer task's (`store::writer`).
#[derive(Clone, Debug)]
pub struct Database {
    engine: Engine,
    readers: Arc<Readers>,
    /// Bytes on disk when PostgreSQL was last asked.
    size_bytes: Arc<AtomicU64>,
    sabotage: Sabotage,
}

/// The connections that write: one for SQLite, which has one writer anyway.
#[derive(Clone, Debug)]
enum Engine {
    Sqlite { writer: SqlitePool, file: PathBuf },
    Postgres(PgPool),
}

/// The connections that read; they refuse to write.
#[derive(Debug)]
pub(super) enum Readers {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// Whether a database that can lose acknowledged rows is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    Required,
    /// Somebody said that losing rows is acceptable. Said again, loudly, at every start.
    Waived,
}

impl Durability {
    /// Refuses, or warns of, a setting that durability rests on.
    pub(super) fn refuse(self, why: String) -> Result<(), StoreError> {
        match self {
            Self::Required => Err(StoreError::Unsafe(why)),
            Self::Waived => {
                tracing::error!("ACKNOWLEDGED ROWS MAY BE LOST, as was accepted by option: {why}");
                Ok(())
            }
        }
    }
}

impl Database {
    /// Opens the database (SQLite: creates the file), checks the settings that durability rests on, migrates.
    ///
    /// # Errors
    /// [`StoreError::Unsafe`] when a setting is not in force, else what the driver says.
    pub async fn open(address: impl Into<DatabaseAddress>) -> Result<Self, StoreError> {
        Self::open_with(&address.into(), Durability::Required).await
    }

    /// As [`Database::open`], where losing rows may be acceptable.
    ///
    /// # Errors
    /// As [`Database::open`].
    pub async fn open_with(address: &DatabaseAddress, durability: Durability) -> Result<Self, StoreError> {
        let (engine, readers) = match address {
            DatabaseAddress::File(file) => {
                let (writer, readers) = sqlite::open(file, durability).await?;
                (Engine::Sqlite { writer, file: file.clone() }, Readers::Sqlite(readers))
            }
            DatabaseAddress::Postgres(options) => {
                let (writers, readers) = postgres::open(options, durability).await?;
                (Engine::Postgres(writers), Readers::Postgres(readers))
            }
        };
        let sabotage = Sabotage::default();
        Ok(Self { engine, readers: Arc::new(readers), size_bytes: Arc::default(), sabotage })
    }

    /// The same database, with these promises broken.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn breaking(self, sabotage: Sabotage) -> Result<Self, StoreError> {
        if sabotage.breaks(Promise::CommitsSynced)
            && let Engine::Sqlite { writer, .. } = &self.engine
        {
            writer.acquire().await?.execute("pragma synchronous = normal").await?;
        }
        Ok(Self { sabotage, ..self })
    }

    /// The promises that are broken on purpose.
    pub(super) const fn sabotage(&self) -> Sabotage {
        self.sabotage
    }

    /// Opens a database that is there, to look at it: nothing is created, migrated or written.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when it is not there.
    pub async fn open_to_look(address: &DatabaseAddress) -> Result<Self, StoreError> {
        let (engine, readers) = match address {
            DatabaseAddress::File(file) => {
                let (writer, readers) = sqlite::open_to_look(file).await?;
                (Engine::Sqlite { writer, file: file.clone() }, Readers::Sqlite(readers))
            }
            DatabaseAddress::Postgres(options) => {
                let (writers, readers) = postgres::open_to_look(options).await?;
                (Engine::Postgres(writers), Readers::Postgres(readers))
            }
        };
        Ok(Self {
            engine,
            readers: Arc::new(readers),
            size_bytes: Arc::default(),
            sabotage: Sabotage::default(),
        })
    }

    /// The file of an SQLite database.
    pub(super) fn file(&self) -> Option<&Path> {
        match &self.engine {
            Engine::Sqlite { file, .. } => Some(file),
            Engine::Postgres(_) => None,
        }
    }

    /// Connections for reading; they refuse to write.
    pub(super) fn readers(&self) -> &Readers {
        &self.readers
    }

    /// Begins a write transaction; waits for its turn.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn begin_write(&self) -> Result<WriteTransaction, StoreError> {
        let (connection, begin) = match &self.engine {
            Engine::Sqlite { writer, .. } => (Connection::Sqlite(writer.acquire().await?), "begin immediate"),
            Engine::Postgres(writers) => {
                let connection = PostgresConnection(Some(writers.acquire().await?));
                (Connection::Postgres(connection), "begin isolation level read committed")
            }
        };
        // From here on, whoever drops this future drops the transaction, and that closes the connection.
        let mut transaction = WriteTransaction { connection: Some(connection), sabotage: self.sabotage };
        transaction.connection().run(begin).await?;
        Ok(transaction)
    }

    /// Patience with a write that is harmless to repeat and whose outcome is unknown. SQLite's outcomes are known.
    pub(super) fn patience(&self) -> Patience {
        let within = if self.is_shared() { CONFIRMED_WITHIN } else { Duration::ZERO };
        Patience { until: tokio::time::Instant::now() + within, pause: RETRY_PAUSE_MIN }
    }

    /// Asks the database to prepare a statement, which shows that it is understood and its names are right.
    ///
    /// # Errors
    /// What the database says against it.
    pub async fn prepare(&self, statement: String) -> Result<(), StoreError> {
        let statement = sqlx::AssertSqlSafe(statement).into_sql_str();
        match self.readers() {
            Readers::Sqlite(pool) => drop(pool.prepare(statement).await?),
            Readers::Postgres(pool) => drop(pool.prepare(statement).await?),
        }
        Ok(())
    }

    /// True when several processes may work on this database at once.
    pub const fn is_shared(&self) -> bool {
        matches!(self.engine, Engine::Postgres(_))
    }

    /// Bytes of the database on disk. For SQLite the files are looked at; for PostgreSQL this is what
    /// [`Database::measure_size`] last found, so that it answers while the server is away.
    pub fn size_bytes(&self) -> u64 {
        let size = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
        match &self.engine {
            Engine::Sqlite { file, .. } => {
                let mut log = file.clone().into_os_string();
                log.push("-wal");
                size(file) + size(Path::new(&log))
            }
            Engine::Postgres(_) => self.size_bytes.load(Ordering::Relaxed),
        }
    }

    /// Asks PostgreSQL how large the database is; nothing to do for SQLite.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn measure_size(&self) -> Result<(), StoreError> {
        if self.is_shared() {
            let bytes: i64 =
                statement(include_str!("sql/database_size.postgres.sql")).scalar_one(self.readers()).await?;
            self.size_bytes.store(u64::try_from(bytes).unwrap_or(0), Ordering::Relaxed);
        }
        Ok(())
    }

    /// How many reading connections are open, how many of them idle, and how many there may be.
    pub fn reader_load(&self) -> (u32, u32, u32) {
        let load = |open: u32, idle: usize, most: u32| (open, u32::try_from(idle).unwrap_or(u32::MAX), most);
        match self.readers() {
            Readers::Sqlite(pool) => load(pool.size(), pool.num_idle(), pool.options().get_max_connections()),
            Readers::Postgres(pool) => {
                load(pool.size(), pool.num_idle(), pool.options().get_max_connections())
            }
        }
    }

    /// Every migration this program was built with, for this engine.
    pub(super) fn migrations(&self) -> &'static Migrator {
        match self.engine {
            Engine::Sqlite { .. } => &sqlite::MIGRATIONS,
            Engine::Postgres(_) => &postgres::MIGRATIONS,
        }
    }

    /// Closes every connection after the running statements.
    pub async fn close(&self) {
        match self.readers() {
            Readers::Sqlite(pool) => pool.close().await,
            Readers::Postgres(pool) => pool.close().await,
        }
        match &self.engine {
            Engine::Sqlite { writer, .. } => writer.close().await,
            Engine::Postgres(pool) => pool.close().await,
        }
    }
}

/// How long something is tried again.
#[derive(Debug)]
pub(super) struct Patience {
    until: tokio::time::Instant,
    pause: Duration,
}

impl Patience {
    /// Pauses and says true when it is worth to try again after this.
    pub(super) async fn bears(&mut self, error: &StoreError) -> bool {
        if !error.is_connection_lost() || tokio::time::Instant::now() + self.pause >= self.until {
            return false;
        }
        tracing::warn!(%error, "the connection to PostgreSQL was lost; the same is sent again");
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(RETRY_PAUSE_MAX);
        true
    }
}

impl Readers {
    pub(super) async fn acquire(&self) -> Result<Connection, sqlx::Error> {
        Ok(match self {
            Self::Sqlite(pool) => Connection::Sqlite(pool.acquire().await?),
            Self::Postgres(pool) => Connection::Postgres(PostgresConnection(Some(pool.acquire().await?))),
        })
    }
}

/// One connection of either engine.
#[derive(Debug)]
pub(super) enum Connection {
    Sqlite(PoolConnection<Sqlite>),
    Postgres(PostgresConnection),
}

impl Connection {
    /// Runs fixed text without values and without preparing it.
    async fn run(&mut self, text: &'static str) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(connection) => connection.execute(text).await.map(drop)?,
            Self::Postgres(connection) => {
                let asked = connection.live()?.execute(text);
                let answered = tokio::time::timeout(COMMIT_ANSWERS_WITHIN, asked).await;
                answered.unwrap_or_else(|_| Err(connection.give_up())).map(drop)?;
            }
        }
        Ok(())
    }

    /// Closes it at once, whatever it was doing; the pool opens another when one is needed.
    fn close_now(self) {
        match self {
            Self::Sqlite(connection) => drop(connection.detach()),
            Self::Postgres(mut connection) => drop(connection.0.take().map(PoolConnection::detach)),
        }
    }
}

/// A connection to PostgreSQL, until it is given up.
#[derive(Debug)]
pub(super) struct PostgresConnection(Option<PoolConnection<Postgres>>);

impl PostgresConnection {
    pub(super) fn live(&mut self) -> Result<&mut PoolConnection<Postgres>, sqlx::Error> {
        self.0.as_mut().ok_or_else(|| sqlx::Error::Io(std::io::ErrorKind::NotConnected.into()))
    }

    /// Closes a connection that has not answered in time, and says so.
    pub(super) fn give_up(&mut self) -> sqlx::Error {
        drop(self.0.take().map(PoolConnection::detach));
        sqlx::Error::Io(std::io::Error::new(
            std::io::ErrorKind::TimedOut,
            "PostgreSQL has not answered in time",
        ))
    }
}

/// A write transaction on a writing connection.
///
/// Dropped without [`WriteTransaction::commit`], or after any failed statement or commit, its connection is closed
/// and replaced: sqlx 0.9 keeps counting a transaction that SQLite has already rolled back (a full disk), and on
/// PostgreSQL it hands a connection on whose `begin` was cancelled, with whatever the next borrower writes left
/// uncommitted.
#[derive(Debug)]
pub struct WriteTransaction {
    connection: Option<Connection>,
    pub(super) sabotage: Sabotage,
}

impl WriteTransaction {
    /// The connection, for statements inside the transaction.
    ///
    /// # Panics
    /// Never: the connection is there until `commit` consumes the transaction.
    #[expect(clippy::expect_used, reason = "present until `commit` takes the whole value")]
    pub(super) fn connection(&mut self) -> &mut Connection {
        self.connection.as_mut().expect("a running transaction has its connection")
    }

    /// Commits; when this returns, the rows are on disk.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: the outcome is a roll-back or unknown; the connection has been replaced.
    pub async fn commit(mut self) -> Result<(), StoreError> {
        let commit = match self.connection() {
            Connection::Sqlite(_) => "commit",
            // A time limit that strikes while a standby is waited for would answer "committed" without it.
            Connection::Postgres(_) => "set local statement_timeout = 0; commit",
        };
        self.connection().run(commit).await.inspect_err(sqlite::stop_if_the_disk_lies)?;
        // Only a committed connection goes back to the pool: `drop` below closes every other one.
        drop(self.connection.take());
        Ok(())
    }
}

impl Drop for WriteTransaction {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            // Closing rolls back.
            connection.close_now();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::on_both_engines;
    use super::*;

    on_both_engines!(a_dropped_transaction_leaves_nothing_and_the_next_one_works);

    async fn a_dropped_transaction_leaves_nothing_and_the_next_one_works(database: Database) {
        let insert = "insert into organisation (id, name, created_at_ms) values ($1, 'x', 0)";
        let mut lost = database.begin_write().await.unwrap();
        statement(insert).bind(1_i64).execute(lost.connection()).await.unwrap();
        drop(lost);
        let mut kept = database.begin_write().await.unwrap();
        statement(insert).bind(2_i64).execute(kept.connection()).await.unwrap();
        kept.commit().await.unwrap();
        let ids: Vec<i64> =
            statement("select id from organisation").scalar_all(database.readers()).await.unwrap();
        assert_eq!(ids, [2]);
    }
}
