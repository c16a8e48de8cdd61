//! SQLite: how its file is opened, and what must be in force before a row is acknowledged.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::sqlite::{
    SqliteAutoVacuum, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection, SqliteConnection, SqlitePool};

use super::connection::Durability;
use super::{StoreError, versions};

/// Connections that read while the one writer writes (WAL).
const READERS_MAX: u32 = 4;
/// How long a statement waits for another process (a backup, a command) to let go.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Pages of the write-ahead log after which the writer itself checkpoints.
const WAL_AUTOCHECKPOINT_PAGES: &str = "2000";
/// The first SQLite with the fix of the write-ahead log's reset race (3.51.3).
const SQLITE_VERSION_MIN: (u32, u32, u32) = (3, 51, 3);

/// Every migration of this engine.
pub(super) static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");

/// Opens the pools: the one connection that writes, and those that read.
pub(super) async fn open(
    path: &Path,
    durability: Durability,
) -> Result<(SqlitePool, SqlitePool), StoreError> {
    let folder = path.parent().map_or_else(PathBuf::new, Path::to_owned);
    if let Some(system) = network_file_system(&folder) {
        durability.refuse(format!(
            "{} lies on a network file system ({system}), where SQLite's locks and log are not safe; put the data \
             folder on a local disk, or keep the data in PostgreSQL (--database postgres://…)",
            folder.display()
        ))?;
    }
    let writer = SqlitePoolOptions::new().max_connections(1).connect_with(writer_options(path)).await?;
    migrate(&writer, path).await?;
    assert_durable(&mut *writer.acquire().await?, durability).await?;
    let readers =
        SqlitePoolOptions::new().max_connections(READERS_MAX).connect_with(reader_options(path)).await?;
    Ok((writer, readers))
}

/// Brings the schema up to date, after a look at who has been here, and a copy of what holds data already.
async fn migrate(writer: &SqlitePool, path: &Path) -> Result<(), StoreError> {
    let mut connection = writer.acquire().await?;
    let standing = versions::standing(&mut *connection, &MIGRATIONS).await?;
    let formats = if standing.has_formats() {
        sqlx::query_as(include_str!("sql/read_data_format.sql")).fetch_optional(&mut *connection).await?
    } else {
        None
    };
    standing.allow(formats)?;
    if standing.pending.is_empty() {
        return Ok(());
    }
    if standing.is_upgrade() {
        keep_copy(path, standing.newest).await?;
    }
    // The pool has one connection: it must be free.
    drop(connection);
    MIGRATIONS.run(writer).await?;
    sqlx::query(include_str!("sql/note_writer.sql")).bind(env!("CARGO_PKG_VERSION")).execute(writer).await?;
    Ok(())
}

/// Copies kept from before upgrades.
const COPIES_KEPT: usize = 3;

/// Keeps a copy of the database as it was before an upgrade, beside it, and removes the oldest beyond three.
///
/// A copy of an earlier try stays as it is: it is the one from before anything was changed.
async fn keep_copy(path: &Path, newest: i64) -> Result<(), StoreError> {
    let folder = path.parent().map_or_else(PathBuf::new, Path::to_owned);
    let target = folder.join(format!("pre-{newest:04}.db"));
    if target.exists() {
        return Ok(());
    }
    tracing::info!(copy = %target.display(), "the schema is brought up to date; a copy is kept");
    let beside = target.with_extension("partial");
    std::fs::remove_file(&beside).or_else(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Ok(()),
        _ => Err(sqlx::Error::Io(error)),
    })?;
    copy(path, &beside).await?;
    std::fs::rename(&beside, &target).map_err(sqlx::Error::Io)?;
    let mut copies = Vec::new();
    for entry in std::fs::read_dir(if folder.as_os_str().is_empty() { Path::new(".") } else { &folder })
        .map_err(sqlx::Error::Io)?
    {
        let name = entry.map_err(sqlx::Error::Io)?.file_name().to_string_lossy().into_owned();
        if name.strip_suffix(".db").is_some_and(|name| name.starts_with("pre-")) {
            copies.push(name);
        }
    }
    // The numbers of migrations grow.
    copies.sort();
    let surplus = copies.len().saturating_sub(COPIES_KEPT);
    for old in copies.iter().take(surplus) {
        std::fs::remove_file(folder.join(old)).map_err(sqlx::Error::Io)?;
    }
    Ok(())
}

/// Copies the database as it is at one moment, beside whoever writes to it.
pub(super) async fn copy(path: &Path, target: &Path) -> Result<(), StoreError> {
    let mut connection = own_connection(path).await?;
    sqlx::query("vacuum into $1")
        .bind(target.to_string_lossy().into_owned())
        .execute(&mut connection)
        .await?;
    connection.close().await?;
    // SQLite leaves this copy to the system.
    let synced = std::fs::File::open(target).and_then(|file| file.sync_all());
    Ok(synced.map_err(sqlx::Error::Io)?)
}

/// What SQLite finds wrong with the file; empty when nothing.
pub(super) async fn integrity_faults(path: &Path) -> Result<Vec<String>, StoreError> {
    let mut connection = own_connection(path).await?;
    let mut faults: Vec<String> =
        sqlx::query_scalar("pragma integrity_check").fetch_all(&mut connection).await?;
    faults.retain(|line| line != "ok");
    let strays: Vec<(String, Option<i64>, String, i64)> =
        sqlx::query_as("pragma foreign_key_check").fetch_all(&mut connection).await?;
    faults.extend(strays.iter().map(|(table, row, parent, _)| {
        format!("row {} of {table} names a row of {parent} that is not there", row.unwrap_or(0))
    }));
    connection.close().await?;
    Ok(faults)
}

/// Writes the file anew without its free pages, and empties the log: what was deleted is in neither.
pub(super) async fn scrub_free_pages(path: &Path) -> Result<(), StoreError> {
    let mut connection = writer_options(path).connect().await?;
    sqlx::query("vacuum").execute(&mut connection).await?;
    sqlx::query("pragma wal_checkpoint(truncate)").execute(&mut connection).await?;
    Ok(connection.close().await?)
}

/// A connection of its own: a long piece of work must not hold up readers or the writer.
async fn own_connection(path: &Path) -> Result<SqliteConnection, StoreError> {
    Ok(reader_options(path).pragma("query_only", "OFF").connect().await?)
}

/// Opens the pools of somebody who only looks: both refuse to write.
pub(super) async fn open_to_look(path: &Path) -> Result<(SqlitePool, SqlitePool), StoreError> {
    let pool = || SqlitePoolOptions::new().max_connections(READERS_MAX).connect_with(reader_options(path));
    Ok((pool().await?, pool().await?))
}

fn writer_options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
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
        .pragma("cell_size_check", "ON")
}

/// Settings of a reading connection. They name nothing that is kept in the file (`journal_mode`, `auto_vacuum`):
/// setting those is a write, which a read-only connection is refused.
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

async fn assert_durable(connection: &mut SqliteConnection, durability: Durability) -> Result<(), StoreError> {
    let synchronous: i64 = sqlx::query_scalar("pragma synchronous").fetch_one(&mut *connection).await?;
    let journal: String = sqlx::query_scalar("pragma journal_mode").fetch_one(&mut *connection).await?;
    let version: String = sqlx::query_scalar("select sqlite_version()").fetch_one(&mut *connection).await?;
    if synchronous != 2 {
        durability.refuse(format!("synchronous is {synchronous}, not FULL"))?;
    }
    if journal != "wal" {
        durability.refuse(format!("journal_mode is {journal}, not wal"))?;
    }
    if parse_version(&version) < Some(SQLITE_VERSION_MIN) {
        durability.refuse(format!("SQLite {version} can corrupt its write-ahead log"))?;
    }
    Ok(())
}

fn parse_version(text: &str) -> Option<(u32, u32, u32)> {
    let mut parts = text.split('.').map(|part| part.parse().ok());
    Some((parts.next()??, parts.next()??, parts.next()??))
}

/// File systems that are reached over a network.
const NETWORK_FILE_SYSTEMS: [&str; 13] = [
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "9p",
    "afs",
    "ceph",
    "lustre",
    "ncpfs",
    "fuse.sshfs",
    "fuse.glusterfs",
    "fuse.s3fs",
];

/// The kind of file system a folder lies on, if it is one over a network. What the kernel does not tell is not held
/// against it.
fn network_file_system(folder: &Path) -> Option<String> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let folder = folder.canonicalize().ok()?;
    let kind = file_system_of(&folder, &std::fs::read_to_string("/proc/self/mountinfo").ok()?)?;
    NETWORK_FILE_SYSTEMS.contains(&kind.as_str()).then_some(kind)
}

/// The kind of the deepest mount that holds the folder; of several on one point the last one counts.
fn file_system_of(folder: &Path, mountinfo: &str) -> Option<String> {
    let mut found: Option<(usize, &str)> = None;
    for line in mountinfo.lines() {
        let Some((mount, source)) = line.split_once(" - ") else { continue };
        let (Some(point), Some(kind)) = (mount.split(' ').nth(4), source.split(' ').next()) else { continue };
        let point = point.replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\");
        if folder.starts_with(&point) && found.is_none_or(|(length, _)| point.len() >= length) {
            found = Some((point.len(), kind));
        }
    }
    found.map(|(_, kind)| kind.to_owned())
}

/// Ends the process when the disk or the database file cannot be trusted any more: a later sync could succeed without
/// the lost pages.
pub(super) fn stop_if_the_disk_lies(error: &StoreError) {
    if error.is_a_lying_disk() {
        tracing::error!(%error, "the disk or the database file cannot be trusted; stopping at once");
        std::process::abort();
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Database, statement::statement};
    use super::*;

    #[test]
    fn a_folder_on_a_network_is_known_by_its_mount() {
        let mounts = "22 1 259:2 / / rw,relatime shared:1 - ext4 /dev/root rw\n\
                      40 22 0:50 / /data rw - nfs4 server:/export rw\n\
                      41 40 0:51 / /data/local\\040disk rw - xfs /dev/sdb rw\n\
                      42 22 0:52 / /dat rw - cifs //server/share rw\n";
        let kind = |folder: &str| file_system_of(Path::new(folder), mounts).unwrap();
        assert_eq!(kind("/home/till"), "ext4");
        assert_eq!(kind("/data/till"), "nfs4");
        assert_eq!(kind("/data/local disk/till"), "xfs");
        assert_eq!(kind("/database"), "ext4");
        assert_eq!(kind("/dat"), "cifs");
        assert_eq!(file_system_of(Path::new("/x"), "nothing of that kind"), None);
    }

    #[tokio::test]
    async fn a_file_that_is_not_synced_is_refused_unless_that_is_accepted() {
        let folder = tempfile::tempdir().unwrap();
        let options = writer_options(&folder.path().join("t.db")).synchronous(SqliteSynchronous::Normal);
        let pool = SqlitePoolOptions::new().connect_with(options).await.unwrap();
        let mut connection = pool.acquire().await.unwrap();
        let refused = assert_durable(&mut connection, Durability::Required).await.unwrap_err();
        assert!(matches!(refused, StoreError::Unsafe(_)), "{refused}");
        assert_durable(&mut connection, Durability::Waived).await.unwrap();
    }

    #[tokio::test]
    async fn a_full_disk_does_not_brick_the_writer() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("t.db")).await.unwrap();
        let mut small = database.begin_write().await.unwrap();
        statement("pragma max_page_count = 100").fetch_all::<(i64,)>(small.connection()).await.unwrap();
        let insert = "insert into inbox (stream, row_count, arrow_ipc, received_at_ms) values ('transactions', 1, $1, 0)";
        let full = statement(insert).bind(vec![0_u8; 1 << 20]).execute(small.connection()).await;
        assert!(full.is_err(), "the planted limit was not reached");
        drop(small);
        // The limit was the old connection's; the new one has room again, as after space is freed.
        for _ in 0..3 {
            let mut write = database.begin_write().await.unwrap();
            statement(insert).bind(vec![0_u8; 1 << 20]).execute(write.connection()).await.unwrap();
            write.commit().await.unwrap();
        }
        let count: i64 =
            statement("select count(*) from inbox").scalar_one(database.readers()).await.unwrap();
        assert_eq!(count, 3);
    }
}
