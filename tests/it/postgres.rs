//! What only PostgreSQL can do to us: unsafe settings, restarts, a second server that starts at the same time.

use std::time::Duration;

use tillwatch::domain::instant_from_ms;
use tillwatch::store::{Database, DatabaseAddress, Durability, StoreError};

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
