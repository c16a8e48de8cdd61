//! What only PostgreSQL can do to us: unsafe settings, restarts, connections cut in COMMIT, a second server that starts
//! at the same time.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tillwatch::domain::{Stream, instant_from_ms};
use tillwatch::store::{Database, DatabaseAddress, Durability, InboxBatch, StoreError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

use crate::engines::Postgres;

fn address_of(postgres: &Postgres) -> DatabaseAddress {
    DatabaseAddress::parse(&postgres.address()).unwrap()
}

#[tokio::test]
async fn a_server_that_could_lose_acknowledged_rows_is_refused_unless_that_is_accepted() {
    let Some(postgres) = Postgres::fresh() else { return };
    let name = postgres.ask("select current_database()");
    postgres.ask(&format!("alter database {name} set synchronous_commit = off"));
    let refused = Database::open(address_of(&postgres)).await.unwrap_err();
    assert!(matches!(&refused, StoreError::Unsafe(_)), "{refused}");
    let sentence = refused.to_string();
    assert!(sentence.contains("set synchronous_commit = on") && sentence.contains("database"), "{sentence}");
    Database::open_with(&address_of(&postgres), Durability::Waived).await.unwrap();
    postgres.ask(&format!("alter database {name} set synchronous_commit = on"));
    Database::open(address_of(&postgres)).await.unwrap();
}

#[tokio::test]
async fn a_database_of_another_encoding_is_refused() {
    let Some(postgres) = Postgres::fresh() else { return };
    let name = postgres.ask("select current_database()") + "_ascii";
    postgres.ask(&format!("create database {name} encoding 'SQL_ASCII' template template0"));
    let address = postgres.address().replace("_ascii", "").replacen('?', "_ascii?", 1);
    let refused = Database::open(DatabaseAddress::parse(&address).unwrap()).await.unwrap_err();
    assert!(refused.to_string().contains("encoding 'UTF8'"), "{refused}");
    postgres.ask(&format!("drop database {name} with (force)"));
}

#[tokio::test]
async fn servers_that_start_at_the_same_time_all_come_up() {
    let Some(postgres) = Postgres::fresh() else { return };
    let open = || Database::open(address_of(&postgres));
    let (first, second, third) = tokio::join!(open(), open(), open());
    for database in [first.unwrap(), second.unwrap(), third.unwrap()] {
        let schema = database.schema().await.unwrap();
        assert_eq!(schema.applied, schema.known);
        database.close().await;
    }
}

#[tokio::test]
async fn after_a_crash_of_the_server_what_was_acknowledged_is_there_and_writes_resume() {
    let Some(mut postgres) = Postgres::alone() else { return };
    let database = Database::open(address_of(&postgres)).await.unwrap();
    let now = instant_from_ms(0);
    let mut acknowledged = Vec::new();
    for round in 0..3 {
        for n in 0..20 {
            let name = format!("{round}-{n}");
            database.put_setting(&name, "x", now).await.unwrap();
            acknowledged.push(name);
        }
        postgres.server().stop_at_once();
        assert!(database.put_setting("away", "x", now).await.is_err());
        postgres.server().run();
        let mut resumed = false;
        for _ in 0..50 {
            resumed = database.put_setting("back", "x", now).await.is_ok();
            if resumed {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert!(resumed, "writes did not resume within 5 s");
        for name in &acknowledged {
            assert!(database.setting(name).await.unwrap().is_some(), "{name} was lost");
        }
    }
}

/// What the proxy does with the next COMMIT that passes through it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cut {
    Nothing,
    /// The server never sees it.
    Before,
    /// The server has done it, the answer never comes.
    After,
}

/// A socket in front of the server's that can cut a connection in the middle of COMMIT.
struct CuttingProxy {
    folder: tempfile::TempDir,
    next: Arc<Mutex<Cut>>,
}

impl CuttingProxy {
    fn before(postgres: &Postgres) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let next = Arc::new(Mutex::new(Cut::Nothing));
        let (server, shared) = (postgres.folder().join(".s.PGSQL.5432"), Arc::clone(&next));
        let listener = UnixListener::bind(folder.path().join(".s.PGSQL.5432")).unwrap();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(to_server) = UnixStream::connect(&server).await else { continue };
                tokio::spawn(carry(client, to_server, Arc::clone(&shared)));
            }
        });
        Self { folder, next }
    }

    fn address(&self, postgres: &Postgres) -> DatabaseAddress {
        let address = postgres.address();
        let (database, _) = address.split_once('?').unwrap();
        let through = format!("{database}?host={}&user=postgres", self.folder.path().display());
        DatabaseAddress::parse(&through).unwrap()
    }

    fn cut(&self, how: Cut) {
        *self.next.lock().unwrap() = how;
    }
}

/// Carries bytes both ways until one side ends or a COMMIT is to be cut.
async fn carry(mut client: UnixStream, mut server: UnixStream, next: Arc<Mutex<Cut>>) {
    let (mut up, mut down) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        tokio::select! {
            read = client.read(&mut up) => {
                let Ok(length @ 1..) = read else { return };
                let is_commit = up[..length].windows(8).any(|bytes| bytes == b"; commit");
                let cut = if is_commit {
                    std::mem::replace(&mut *next.lock().unwrap(), Cut::Nothing)
                } else {
                    Cut::Nothing
                };
                if cut == Cut::Before || server.write_all(&up[..length]).await.is_err() {
                    return;
                }
                if cut == Cut::After {
                    // Until the server has said that it is done.
                    let _ = server.read(&mut down).await;
                    return;
                }
            }
            read = server.read(&mut down) => {
                let Ok(length @ 1..) = read else { return };
                if client.write_all(&down[..length]).await.is_err() {
                    return;
                }
            }
        }
    }
}

#[tokio::test]
async fn a_commit_that_is_cut_off_is_confirmed_and_neither_lost_nor_doubled() {
    let Some(postgres) = Postgres::fresh() else { return };
    let proxy = CuttingProxy::before(&postgres);
    let database = Database::open(proxy.address(&postgres)).await.unwrap();
    let now = instant_from_ms(0);
    let batch = InboxBatch { stream: Stream::Transactions, rows: 1, arrow_ipc: b"x", received_at: now };
    let lines = InboxBatch { stream: Stream::LedgerLines, ..batch };
    let mut acknowledged = Vec::new();
    for how in [Cut::Nothing, Cut::Before, Cut::After, Cut::After, Cut::Before, Cut::Nothing] {
        proxy.cut(how);
        acknowledged.extend(
            database.append_group(&[batch, lines], &[]).await.unwrap().into_iter().map(|(_, seq)| seq),
        );
    }
    let found: Vec<i64> =
        postgres.ask("select seq from inbox order by seq").lines().map(|seq| seq.parse().unwrap()).collect();
    assert_eq!(found, acknowledged);
    // A write without a token cannot know: it fails, although it is there. The proxy does cut.
    proxy.cut(Cut::After);
    assert!(database.put_setting("cut", "x", now).await.is_err());
    assert_eq!(postgres.ask("select count(*) from setting where name = 'cut'"), "1");
}
