//! Who may touch the data: asked by every program before its first write.

use std::collections::BTreeSet;

use sqlx::migrate::{Migrate, MigrateError, Migrator};

use super::StoreError;

/// The formats of rows, files and rollups that this program reads and writes.
pub(super) const READS: i64 = 1;
pub(super) const WRITES: i64 = 1;
/// The migration that made the table of formats; before it everything had format 1.
pub(super) const FORMATS_SINCE: i64 = 9;
/// Where sqlx notes which migrations were applied.
const TABLE: &str = "_sqlx_migrations";

/// How a database stands to the migrations that this program knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    /// The newest migration that was applied; 0 in an empty database.
    pub(super) newest: i64,
    /// Numbers that were applied and that this program does not know.
    pub(super) unknown: Vec<i64>,
    /// Numbers that this program knows and that were not applied.
    pub(super) pending: Vec<i64>,
}

impl Standing {
    /// True when something will be changed that holds data already.
    pub(super) fn is_upgrade(&self) -> bool {
        self.newest > 0 && !self.pending.is_empty()
    }

    /// True when the table of formats is there.
    pub(super) fn has_formats(&self) -> bool {
        self.newest >= FORMATS_SINCE && !self.pending.contains(&FORMATS_SINCE)
    }

    fn of(applied: &BTreeSet<i64>, known: &BTreeSet<i64>) -> Self {
        Self {
            newest: applied.last().copied().unwrap_or(0),
            unknown: applied.difference(known).copied().collect(),
            pending: known.difference(applied).copied().collect(),
        }
    }

    /// Refuses a database that a newer program has changed. `formats` is the row of `data_format`, where there is one.
    pub(super) fn allow(&self, formats: Option<(i64, i64, String)>) -> Result<(), StoreError> {
        let (min_reader, min_writer, written_by) = formats.unwrap_or((1, 1, String::new()));
        if self.unknown.is_empty() && min_reader <= READS && min_writer <= WRITES {
            return Ok(());
        }
        Err(StoreError::Newer { written_by })
    }
}

/// How the database stands. Makes sqlx's own table where there is none, and nothing else.
pub(super) async fn standing<C: Migrate>(
    connection: &mut C,
    known: &Migrator,
) -> Result<Standing, MigrateError> {
    connection.ensure_migrations_table(TABLE).await?;
    let applied = connection.list_applied_migrations(TABLE).await?;
    let applied = applied.iter().map(|migration| migration.version).collect();
    let known = known.iter().map(|migration| migration.version).collect();
    Ok(Standing::of(&applied, &known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_newer_program_wrote_is_refused_and_what_an_older_one_wrote_is_upgraded() {
        let known: BTreeSet<i64> = (1..=9).collect();
        let standing = |applied: &[i64]| Standing::of(&applied.iter().copied().collect(), &known);
        let empty = standing(&[]);
        assert!(!empty.is_upgrade() && empty.allow(None).is_ok());
        let older = standing(&[1, 2, 3, 4, 5]);
        assert!(older.is_upgrade() && older.allow(None).is_ok() && !older.has_formats());
        let same = standing(&[1, 2, 3, 4, 5, 6, 7, 8, 9]);
        assert!(!same.is_upgrade() && same.has_formats());
        assert!(same.allow(Some((1, 1, "0.1.0".into()))).is_ok());
        let asks_for_more = same.allow(Some((1, 2, "0.9.0".into()))).unwrap_err().to_string();
        assert!(asks_for_more.contains("0.9.0"), "{asks_for_more}");
        assert!(same.allow(Some((2, 2, "0.9.0".into()))).is_err());
        let newer = standing(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 77]);
        assert!(newer.allow(Some((1, 1, "2.0.0".into()))).is_err());
    }
}
