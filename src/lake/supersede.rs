use std::collections::HashMap;

use crate::domain::RecordKey;

/// What decides which of two rows with one identity is the latest.
///
/// Rows with `version_ms` order by (version, terminal before open, hash) and beat rows without; rows without order by
/// (terminal before open, arrival). So versioned sources give the same figures in any order, twice, and in halves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    pub key: RecordKey,
    pub row_hash: u64,
    pub version_ms: Option<i64>,
    pub terminal: bool,
    /// Grows with every row that comes in.
    pub arrival: i64,
}

impl Version {
    /// The later of two versions of a record has the higher rank.
    pub fn rank(&self) -> (bool, i64, bool, i128) {
        let tie =
            if self.version_ms.is_some() { i128::from(self.row_hash) } else { i128::from(self.arrival) };
        (self.version_ms.is_some(), self.version_ms.unwrap_or(0), self.terminal, tie)
    }
}

/// What became of an incoming row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The first version of its record.
    New,
    /// Another version of a known record, later or earlier than the one that is live.
    Replaced,
    /// Identical to a row that is known: changes nothing.
    Unchanged,
}

/// Which rows live on after a fold. Indices into the slices given to [`supersede`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Supersession {
    /// Incoming rows that are now the latest version.
    pub incoming_live: Vec<usize>,
    /// Incoming rows that are already superseded: they go to the history.
    pub incoming_history: Vec<usize>,
    /// Live rows that are superseded now.
    pub existing_superseded: Vec<usize>,
    /// One per incoming row.
    pub outcomes: Vec<Outcome>,
    /// Incoming rows that are identical to the latest version known when they came, and where that stands.
    pub identical: Vec<(usize, Place)>,
}

/// Where a version stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Existing(usize),
    Incoming(usize),
}

/// The latest version of each record, among its live row (at most one each) and the incoming ones.
pub fn supersede(existing: &[Version], incoming: &[Version]) -> Supersession {
    struct Candidate {
        place: Place,
        version: Version,
    }
    let mut latest: HashMap<RecordKey, Candidate> = HashMap::with_capacity(incoming.len());
    for (index, version) in existing.iter().enumerate() {
        latest.insert(version.key, Candidate { place: Place::Existing(index), version: *version });
    }
    let mut result = Supersession { outcomes: Vec::with_capacity(incoming.len()), ..Supersession::default() };
    for (index, version) in incoming.iter().enumerate() {
        let Some(best) = latest.get_mut(&version.key) else {
            latest.insert(version.key, Candidate { place: Place::Incoming(index), version: *version });
            result.outcomes.push(Outcome::New);
            continue;
        };
        if best.version.row_hash == version.row_hash {
            result.outcomes.push(Outcome::Unchanged);
            result.identical.push((index, best.place));
            continue;
        }
        result.outcomes.push(Outcome::Replaced);
        if version.rank() > best.version.rank() {
            match best.place {
                Place::Existing(old) => result.existing_superseded.push(old),
                Place::Incoming(old) => result.incoming_history.push(old),
            }
            *best = Candidate { place: Place::Incoming(index), version: *version };
        } else {
            result.incoming_history.push(index);
        }
    }
    result.incoming_live = latest
        .values()
        .filter_map(|candidate| match candidate.place {
            Place::Incoming(index) => Some(index),
            Place::Existing(_) => None,
        })
        .collect();
    // A hash map has no order; the files must have one.
    result.incoming_live.sort_unstable();
    result.incoming_history.sort_unstable();
    result.existing_superseded.sort_unstable();
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: u64, row_hash: u64, version_ms: Option<i64>, terminal: bool, arrival: i64) -> Version {
        Version { key: RecordKey { high: id, low: 0 }, row_hash, version_ms, terminal, arrival }
    }

    #[test]
    fn a_row_sent_twice_changes_nothing() {
        let live = row(1, 10, None, true, 1);
        let again = row(1, 10, None, true, 2);
        let verdict = supersede(&[live], &[again]);
        assert_eq!(verdict.outcomes, [Outcome::Unchanged]);
        assert_eq!(verdict.identical, [(0, Place::Existing(0))]);
        assert!(verdict.incoming_live.is_empty() && verdict.existing_superseded.is_empty());
    }

    #[test]
    fn versioned_rows_win_in_any_order() {
        let versions =
            [row(1, 10, Some(5), false, 1), row(1, 11, Some(6), true, 2), row(1, 12, Some(6), false, 3)];
        for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2], [1, 2, 0]] {
            let incoming: Vec<_> = order.iter().map(|index| versions[*index]).collect();
            let verdict = supersede(&[], &incoming);
            let winner = incoming[verdict.incoming_live[0]];
            assert_eq!(winner.row_hash, 11, "{order:?}");
            assert_eq!(verdict.incoming_history.len(), 2);
        }
    }

    #[test]
    fn rows_without_version_order_by_end_then_arrival() {
        let open = row(1, 10, None, false, 9);
        let done = row(1, 11, None, true, 1);
        assert_eq!(supersede(&[done], &[open]).incoming_history, [0]);
        assert_eq!(supersede(&[open], &[done]).existing_superseded, [0]);
        let later = row(1, 12, None, true, 10);
        assert_eq!(supersede(&[done], &[later]).incoming_live, [0]);
        let versioned = row(1, 13, Some(0), false, 0);
        assert_eq!(supersede(&[later], &[versioned]).incoming_live, [0]);
    }

    #[test]
    fn three_updates_of_one_record_in_one_fold_leave_the_last() {
        let incoming = [row(1, 1, None, true, 1), row(1, 2, None, true, 2), row(1, 3, None, true, 3)];
        let verdict = supersede(&[row(1, 0, None, false, 0)], &incoming);
        assert_eq!(verdict.incoming_live, [2]);
        assert_eq!(verdict.incoming_history, [0, 1]);
        assert_eq!(verdict.existing_superseded, [0]);
        assert_eq!(verdict.outcomes, [Outcome::Replaced; 3]);
    }
}
