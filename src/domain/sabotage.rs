use std::str::FromStr;

/// A promise of the store, and the name under which a debug build breaks it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    /// A lake file and its folder are synced before the manifest names it.
    FilesSynced,
    /// SQLite syncs its write-ahead log at every commit.
    CommitsSynced,
    /// A batch is answered after its commit.
    CommitBeforeAnswer,
    /// No number is made from a file before its hash was compared.
    HashCompared,
    /// Files, rollups and marks of a fold move in one transaction.
    RollupsWithFiles,
    /// A row that is there already is not counted again.
    CountedOnce,
    /// The intake is shut before the disk is full.
    ShutInTime,
}

impl Promise {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::FilesSynced,
        Self::CommitsSynced,
        Self::CommitBeforeAnswer,
        Self::HashCompared,
        Self::RollupsWithFiles,
        Self::CountedOnce,
        Self::ShutInTime,
    ];

    /// The name given to `--break`.
    pub const fn broken_by(self) -> &'static str {
        match self {
            Self::FilesSynced => "no-fsync",
            Self::CommitsSynced => "sync-normal",
            Self::CommitBeforeAnswer => "early-ack",
            Self::HashCompared => "no-hash-check",
            Self::RollupsWithFiles => "rollup-apart",
            Self::CountedOnce => "dedup-off",
            Self::ShutInTime => "no-disk-watch",
        }
    }
}

impl FromStr for Promise {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|promise| promise.broken_by() == text);
        found.ok_or_else(|| format!("`{text}` is none of {}", Self::ALL.map(Self::broken_by).join(", ")))
    }
}

/// The promises that this process breaks on purpose: a test that stays green with its promise broken tests nothing.
///
/// Empty in every release build: there is no way to fill it, and no option that asks for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sabotage {
    #[cfg(debug_assertions)]
    broken: u8,
}

impl Sabotage {
    /// Breaks these promises.
    #[cfg(debug_assertions)]
    pub fn of(promises: &[Promise]) -> Self {
        Self { broken: promises.iter().fold(0, |bits, promise| bits | bit(*promise)) }
    }

    /// True when this promise is to be broken; always false in a release build.
    pub const fn breaks(self, promise: Promise) -> bool {
        #[cfg(debug_assertions)]
        return self.broken & bit(promise) != 0;
        #[cfg(not(debug_assertions))]
        {
            _ = promise;
            false
        }
    }
}

#[cfg(debug_assertions)]
const fn bit(promise: Promise) -> u8 {
    match promise {
        Promise::FilesSynced => 1,
        Promise::CommitsSynced => 2,
        Promise::CommitBeforeAnswer => 4,
        Promise::HashCompared => 8,
        Promise::RollupsWithFiles => 16,
        Promise::CountedOnce => 32,
        Promise::ShutInTime => 64,
    }
}

#[cfg(all(test, debug_assertions))]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_named_is_broken() {
        let named = Sabotage::of(&["no-fsync".parse().unwrap(), "dedup-off".parse().unwrap()]);
        let broken: Vec<Promise> =
            Promise::ALL.into_iter().filter(|promise| named.breaks(*promise)).collect();
        assert_eq!(broken, [Promise::FilesSynced, Promise::CountedOnce]);
        assert!(Promise::ALL.into_iter().all(|promise| !Sabotage::default().breaks(promise)));
        assert!("fsync".parse::<Promise>().unwrap_err().contains("no-fsync, sync-normal"));
    }
}
