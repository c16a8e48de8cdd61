//! Every SQL statement of `src/store/sql` is prepared on a migrated database.

use std::fs;
use std::path::Path;

use tillwatch::store::Database;

/// What the database says against preparing `statement`, if anything.
async fn fault_of(database: &Database, statement: String) -> Option<String> {
    use sqlx::{Executor, SqlSafeStr};
    database
        .readers()
        .prepare(sqlx::AssertSqlSafe(statement).into_sql_str())
        .await
        .err()
        .map(|error| error.to_string())
}

#[tokio::test]
async fn every_statement_can_be_prepared_after_the_migrations() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("t.db")).await.unwrap();
    let mut prepared = 0;
    let mut faults = Vec::new();
    for entry in
        fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store/sql")).into_iter().flatten()
    {
        let path = entry.unwrap().path();
        if let Some(fault) = fault_of(&database, fs::read_to_string(&path).unwrap()).await {
            faults.push(format!("{}: {fault}", path.file_name().unwrap().to_string_lossy()));
        }
        prepared += 1;
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
    println!("{prepared} statements prepared");
}

#[tokio::test]
async fn a_misspelt_statement_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("t.db")).await.unwrap();
    let fault = fault_of(&database, "select seqq from inbox".to_owned()).await;
    assert!(fault.is_some_and(|fault| fault.contains("seqq")));
}
