use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::analytics::Totals;
use crate::domain::Instant;

/// The layout of a backup that this program writes and reads.
pub const BACKUP_FORMAT: u32 = 1;
/// The name of the manifest in a backup.
pub const MANIFEST: &str = "backup.json";

/// What a backup holds; written last, so that a backup without it is not one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupManifest {
    pub format: u32,
    /// The version of Tillwatch that made it.
    pub tillwatch: String,
    pub made_at: Instant,
    pub data_version: i64,
    /// `sqlite` or `postgres`.
    pub engine: String,
    pub database: BackupFile,
    /// The lake's files, as the database in this backup calls them live.
    pub files: Vec<BackupFile>,
    /// Files that the database names and that could not be copied: damaged or missing at the time.
    pub lost: Vec<LostFile>,
    /// True when `secret.key` is among it.
    pub secret: bool,
    /// What the figures were, by store and currency: what a restored backup must show again.
    pub totals: Vec<BackupTotal>,
}

/// One file of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupFile {
    /// Below the backup's folder, with `/`.
    pub path: String,
    pub size_bytes: u64,
    pub blake3: String,
}

/// One file that is not in the backup though it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LostFile {
    pub path: String,
    pub blake3: String,
    pub reason: String,
}

/// Everything that was ever paid to a store in a currency, in minor units.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupTotal {
    pub store: i64,
    pub currency: String,
    pub payments: i64,
    pub paid: i128,
    pub refunds: i64,
    pub refunded: i128,
}

/// Totals over all days.
pub fn sum_up(totals: &Totals) -> Vec<BackupTotal> {
    let mut sums: BTreeMap<(i64, &str), BackupTotal> = BTreeMap::new();
    for ((store, _, currency), total) in totals {
        let key = (store.0, currency.as_str());
        let sum = sums.entry(key).or_insert_with(|| BackupTotal {
            store: store.0,
            currency: currency.as_str().to_owned(),
            ..BackupTotal::default()
        });
        sum.payments += total.payments;
        sum.paid += total.paid;
        sum.refunds += total.refunds;
        sum.refunded += total.refunded;
    }
    sums.into_values().collect()
}
