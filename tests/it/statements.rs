//! Every SQL statement of `src/store/sql` is prepared on a migrated database, on both engines.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use tillwatch::store::{Database, DatabaseAddress};

use crate::engines;

/// The statements of one engine: `name.postgres.sql` stands in for `name.sql` there and is nothing to SQLite.
fn statements(postgres: bool) -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store/sql");
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let special = name.ends_with(".postgres.sql");
        let replaced = !special && path.with_extension("postgres.sql").exists();
        let is_meant = if postgres { !replaced } else { !special };
        if is_meant {
            found.insert(name, fs::read_to_string(&path).unwrap());
        }
    }
    found
}

async fn prepare_all(database: &Database, statements: BTreeMap<String, String>) {
    let mut faults = Vec::new();
    assert!(statements.len() > 80, "only {} statements were found", statements.len());
    println!("{} statements", statements.len());
    for (name, statement) in statements {
        if let Err(fault) = database.prepare(statement).await {
            faults.push(format!("{name}: {fault}"));
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
    let fault = database.prepare("select seqq from inbox".to_owned()).await;
    assert!(
        fault.is_err_and(|fault| fault.to_string().contains("seqq")),
        "a misspelt statement is not found"
    );
}

#[tokio::test]
async fn every_statement_can_be_prepared_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("t.db")).await.unwrap();
    prepare_all(&database, statements(false)).await;
}

#[tokio::test]
async fn every_statement_can_be_prepared_on_postgres() {
    let Some(postgres) = engines::Postgres::fresh() else { return };
    let database = Database::open(DatabaseAddress::parse(&postgres.address()).unwrap()).await.unwrap();
    prepare_all(&database, statements(true)).await;
}

/// Both engines have the same migrations, by number and name.
#[test]
fn migrations_come_in_pairs() {
    let names = |engine: &str| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(engine);
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    };
    assert_eq!(names("sqlite"), names("postgres"));
}
