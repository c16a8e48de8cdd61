//! Puts right what the doctor finds: lost files, figures, batches that were set aside, strangers in the lake.
//!
//! Nothing is changed before everything was planned, and nothing is given up unless the owner says so. A lost file is
//! made again from the batches that are still kept, else taken from a backup by its hash; either is proven by the hash
//! of the manifest, or by the control total of its rows. Only then, and only when asked, its rows are given up: written
//! down, and taken out of the figures.

mod carry;
mod plan;

use std::path::PathBuf;
use std::sync::Arc;

use crate::lake::{Lake, LakeFile, Recovered};
use crate::store::Database;

pub use carry::carry_out;
pub use plan::plan;

/// What repair works on: a folder that no server holds.
#[derive(Clone, Debug)]
pub struct Workshop {
    pub folder: PathBuf,
    pub database: Database,
    pub lake: Lake,
    /// Backups in which lost files are looked for.
    pub backups: Vec<PathBuf>,
}

/// What will be done, in this order.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Files that are damaged or missing and not yet set aside, with the reason.
    pub newly_lost: Vec<(Arc<LakeFile>, String)>,
    pub files: Vec<(Arc<LakeFile>, Cure)>,
    /// The prepared figures are not those that the rows give.
    pub rollups_are_wrong: bool,
    /// Batches that were set aside and are tried again.
    pub held_batches: Vec<(i64, String)>,
    /// Old files in the lake that nobody knows.
    pub strangers: Vec<String>,
}

/// How a lost file comes back.
#[derive(Clone, Debug)]
pub enum Cure {
    /// Its bytes are right again.
    RightAgain,
    /// Made again from batches that are still kept.
    FromInbox(Recovered),
    /// Copied from this file of a backup.
    FromBackup(PathBuf),
    /// Nowhere to be found.
    Lost,
}

impl Cure {
    /// In words.
    pub fn says(&self) -> String {
        match self {
            Self::RightAgain => "its bytes are right again: it is taken back".to_owned(),
            Self::FromInbox(Recovered::Identical(_)) => {
                "is made again from what was received lately, byte for byte".to_owned()
            }
            Self::FromInbox(Recovered::SameRows(_)) => {
                "is made again from what was received lately; its control total is right".to_owned()
            }
            Self::FromBackup(path) => format!("is taken from {}, hash compared", path.display()),
            Self::Lost => {
                "is nowhere to be found: not among what was received lately, not in a backup".to_owned()
            }
        }
    }
}

impl Plan {
    /// True when there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
            && !self.rollups_are_wrong
            && self.held_batches.is_empty()
            && self.strangers.is_empty()
    }

    /// Files whose rows would be given up.
    pub fn lost(&self) -> impl Iterator<Item = &Arc<LakeFile>> {
        self.files.iter().filter(|(_, cure)| matches!(cure, Cure::Lost)).map(|(file, _)| file)
    }
}
