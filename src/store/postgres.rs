//! PostgreSQL: how it is connected to, and what must be in force before a row is acknowledged.

use std::sync::LazyLock;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, Executor, PgConnection, PgPool};

use super::connection::Durability;
use super::{StoreError, versions};

/// Connections that write: two commit the inbox, others fold and keep settings.
const WRITERS_MAX: u32 = 6;
/// Connections that read.
const READERS_MAX: u32 = 8;
/// How long a free connection is waited for.
const ACQUIRE_WITHIN: Duration = Duration::from_secs(5);
/// A connection is replaced after this long.
const LIFETIME_MAX: Duration = Duration::from_mins(30);
/// How long the clean-up after a borrower may take before its connection is closed.
const CLEAN_UP_WITHIN: Duration = Duration::from_secs(5);
/// The oldest server that is supported, as PostgreSQL counts.
const SERVER_VERSION_MIN: i64 = 130_000;
/// The number that servers migrating at the same time lock ("till" in ASCII).
const MIGRATION_LOCK: i64 = 0x7469_6c6c;

/// Every migration of this engine. They run under our own lock: sqlx's belongs to a session and would outlive a
/// transaction behind a pooler.
pub(super) static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| {
    let mut migrations = sqlx::migrate!("migrations/postgres");
    migrations.set_locking(false);
    migrations
});

/// Opens the pools: connections that write, and those that read.
pub(super) async fn open(
    options: &PgConnectOptions,
    durability: Durability,
) -> Result<(PgPool, PgPool), StoreError> {
    let options = options.clone().application_name("tillwatch");
    let mut direct = options.connect().await?;
    let found = Found::ask(&mut direct).await?;
    for fault in found.faults() {
        durability.refuse(fault)?;
    }
    migrate(&mut direct).await?;
    direct.close().await?;
    // Said again per session: a change of the server's files after the start does not reach it.
    let commit = if found.synchronous_commit == "remote_apply" { "remote_apply" } else { "on" };
    let session = |read_only: &'static str, statement_timeout: &'static str| {
        options.clone().options([
            ("synchronous_commit", commit),
            ("default_transaction_read_only", read_only),
            ("statement_timeout", statement_timeout),
            ("lock_timeout", "5s"),
            ("idle_in_transaction_session_timeout", "15s"),
            ("tcp_keepalives_idle", "10"),
            ("tcp_keepalives_interval", "5"),
            ("tcp_keepalives_count", "3"),
        ])
    };
    let waived = durability == Durability::Waived;
    let writers = pool(WRITERS_MAX, waived).connect_with(session("off", "30s")).await?;
    let readers = pool(READERS_MAX, true).connect_with(session("on", "30s")).await?;
    Ok((writers, readers))
}

/// Settings of a pool. Unless durability is waived, every new connection is asked anew: the server may have been
/// started again with other settings, or be another one.
fn pool(connections_max: u32, waived: bool) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(connections_max)
        .acquire_timeout(ACQUIRE_WITHIN)
        .max_lifetime(LIFETIME_MAX)
        .after_connect(move |connection, _| {
            Box::pin(async move {
                let faults = if waived { Vec::new() } else { Found::ask(connection).await?.faults() };
                match faults.into_iter().next() {
                    Some(fault) => Err(sqlx::Error::Configuration(fault.into())),
                    None => Ok(()),
                }
            })
        })
        .after_release(|connection, _| {
            Box::pin(async move {
                // sqlx 0.9 gives a connection back inside an open transaction when its `begin` was cancelled. A rollback
                // alone would write a warning into the server's log each time there is none.
                let clean_up = connection.execute("begin; rollback");
                let clean_up = tokio::time::timeout(CLEAN_UP_WITHIN, clean_up).await;
                clean_up.map_err(|_| sqlx::Error::PoolTimedOut)?.map(|_| true)
            })
        })
}

/// Brings the schema up to date, all of it or nothing; a second server that starts meanwhile waits.
async fn migrate(connection: &mut PgConnection) -> Result<(), StoreError> {
    let mut transaction = connection.begin().await?;
    sqlx::query("select pg_advisory_xact_lock($1)").bind(MIGRATION_LOCK).execute(&mut *transaction).await?;
    let standing = versions::standing(&mut *transaction, &MIGRATIONS).await?;
    let formats = if standing.has_formats() {
        sqlx::query_as(include_str!("sql/read_data_format.sql")).fetch_optional(&mut *transaction).await?
    } else {
        None
    };
    standing.allow(formats)?;
    if standing.pending.is_empty() {
        return Ok(transaction.commit().await?);
    }
    if standing.is_upgrade() {
        tracing::warn!(
            "the schema is brought up to date, all of it or nothing; a dump from before is yours to keep"
        );
    }
    MIGRATIONS.run(&mut *transaction).await?;
    sqlx::query(include_str!("sql/note_writer.sql"))
        .bind(env!("CARGO_PKG_VERSION"))
        .execute(&mut *transaction)
        .await?;
    Ok(transaction.commit().await?)
}

/// Opens the pools of somebody who only looks: both refuse to write.
pub(super) async fn open_to_look(options: &PgConnectOptions) -> Result<(PgPool, PgPool), StoreError> {
    let options = options
        .clone()
        .application_name("tillwatch doctor")
        .options([("default_transaction_read_only", "on"), ("client_min_messages", "error")]);
    Ok((
        pool(1, true).connect_with(options.clone()).await?,
        pool(READERS_MAX, true).connect_with(options).await?,
    ))
}

/// What a server says about itself.
#[derive(Clone, Debug, sqlx::FromRow)]
struct Found {
    version: i64,
    encoding: String,
    fsync: String,
    full_page_writes: String,
    synchronous_commit: String,
    synchronous_commit_source: String,
    in_recovery: i64,
}

impl Found {
    async fn ask(connection: &mut PgConnection) -> Result<Self, sqlx::Error> {
        sqlx::query_as(include_str!("sql/durability.postgres.sql")).fetch_one(connection).await
    }

    /// Every reason for which a row acknowledged here could be lost, and what to set.
    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.version < SERVER_VERSION_MIN {
            let (version, oldest) = (self.version / 10_000, SERVER_VERSION_MIN / 10_000);
            faults.push(format!("PostgreSQL {version} is too old: use version {oldest} or later"));
        }
        if self.encoding != "UTF8" {
            faults.push(format!(
                "the database's encoding is {}: create it with `create database … encoding 'UTF8' template template0`",
                self.encoding
            ));
        }
        if self.in_recovery != 0 {
            faults.push(
                "the server is a standby, which only reads: give the address of the primary".to_owned(),
            );
        }
        for (name, setting) in [("fsync", &self.fsync), ("full_page_writes", &self.full_page_writes)] {
            if setting != "on" {
                faults.push(format!(
                    "{name} is {setting}, so a power cut can destroy the database: set {name} = on in \
                     postgresql.conf and reload it"
                ));
            }
        }
        if !["on", "remote_apply"].contains(&self.synchronous_commit.as_str()) {
            faults.push(format!(
                "synchronous_commit is {} (set by: {}), so a commit can be lost: set synchronous_commit = on there",
                self.synchronous_commit, self.synchronous_commit_source
            ));
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use sqlx::postgres::PgPoolOptions;

    use super::super::engines::Postgres;
    use super::*;

    /// Leaves an open transaction behind as a cancelled `begin` does, cancels real ones at every point where they can
    /// be, and returns how many rows were acknowledged as transactions of their own and how many others see.
    async fn acknowledged_and_seen(pool: PgPool, server: &Postgres) -> (i64, i64) {
        pool.execute("create table t (n bigint)").await.unwrap();
        let mut poisoned = pool.acquire().await.unwrap();
        poisoned.execute("begin").await.unwrap();
        drop(poisoned);
        pool.execute("insert into t values (0)").await.unwrap();
        for polls in 0..12 {
            let mut begin = Box::pin(pool.begin());
            for _ in 0..polls {
                if futures_util::poll!(begin.as_mut()).is_ready() {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            drop(begin);
            pool.execute("insert into t values (1)").await.unwrap();
        }
        (13, server.ask("select count(*) from t").parse().unwrap())
    }

    #[tokio::test]
    async fn a_cancelled_begin_does_not_swallow_what_the_next_borrower_writes() {
        let Some(server) = Postgres::fresh() else { return };
        let options = PgConnectOptions::from_str(&server.address()).unwrap();
        let ours = pool(1, true).connect_with(options.clone()).await.unwrap();
        let (acknowledged, seen) = acknowledged_and_seen(ours, &server).await;
        assert_eq!(seen, acknowledged);
        // Without our clean-up rows are acknowledged and lost: the test would notice.
        server.ask("drop table t");
        let bare = PgPoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
        let (acknowledged, seen) = acknowledged_and_seen(bare, &server).await;
        assert!(seen < acknowledged, "nothing was lost without the clean-up");
    }

    #[test]
    fn each_setting_that_could_lose_rows_is_named_with_what_to_set() {
        let safe = Found {
            version: 150_013,
            encoding: "UTF8".into(),
            fsync: "on".into(),
            full_page_writes: "on".into(),
            synchronous_commit: "on".into(),
            synchronous_commit_source: "default".into(),
            in_recovery: 0,
        };
        assert_eq!(safe.faults(), Vec::<String>::new());
        assert!(Found { synchronous_commit: "remote_apply".into(), ..safe.clone() }.faults().is_empty());
        for (unsafe_one, word) in [
            (Found { version: 120_009, ..safe.clone() }, "13"),
            (Found { encoding: "SQL_ASCII".into(), ..safe.clone() }, "UTF8"),
            (Found { fsync: "off".into(), ..safe.clone() }, "fsync = on"),
            (Found { full_page_writes: "off".into(), ..safe.clone() }, "full_page_writes = on"),
            (Found { synchronous_commit: "local".into(), ..safe.clone() }, "synchronous_commit = on"),
            (Found { synchronous_commit: "off".into(), ..safe.clone() }, "synchronous_commit = on"),
            (Found { in_recovery: 1, ..safe.clone() }, "primary"),
        ] {
            let faults = unsafe_one.faults();
            assert!(faults.len() == 1 && faults[0].contains(word), "{word}: {faults:?}");
        }
    }
}
