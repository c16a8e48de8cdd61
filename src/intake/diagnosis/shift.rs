use std::collections::{BTreeMap, BTreeSet};

use chrono::Days;

use super::findings::Warning;
use crate::analytics::{Snapshot, payment_times};
use crate::domain::{Instant, StoreId};
use crate::lake::{Lake, LakeError};

/// Payments of a file whose times are compared with what is known of them.
pub const PROBES_MAX: usize = 100;
/// Days on either side in which the same payment may lie when the zone is wrong.
const DAYS_AROUND: u64 = 1;
/// Zones lie whole quarters of an hour apart…
const QUARTER_MINUTES: i64 = 15;
/// …and a shop's clock or a slow shopper may add so much.
const SLACK_SECONDS: i64 = 180;
/// The nearest zones that are confused lie this far apart.
const SHIFT_MINUTES_MIN: i64 = 45;

/// A payment of the file: the ids it has, and when it is said to have happened.
#[derive(Clone, Debug)]
pub struct Probe {
    pub ids: Vec<String>,
    pub at: Instant,
}

/// Tells when the file's payments lie whole hours away from the same payments as they were told live: more than half of
/// those that are known, all by the same length of time.
///
/// # Errors
/// The first file that cannot be read.
pub fn shift_of(
    lake: &Lake,
    snapshot: &Snapshot,
    store: StoreId,
    probes: &[Probe],
) -> Result<Option<Warning>, LakeError> {
    let times = probes.iter().map(|probe| probe.at.date_naive());
    let (Some(first), Some(last)) = (times.clone().min(), times.max()) else { return Ok(None) };
    let days = first - Days::new(DAYS_AROUND)..=last + Days::new(DAYS_AROUND);
    let ids: BTreeSet<&str> = probes.iter().flat_map(|probe| probe.ids.iter().map(String::as_str)).collect();
    let Some(known) = payment_times(lake, snapshot, store, days, &ids)? else { return Ok(None) };
    let known: BTreeMap<String, Instant> = known.into_iter().collect();
    let pairs = probes.iter().filter_map(|probe| {
        let known = probe.ids.iter().find_map(|id| known.get(id))?;
        Some((probe.at, *known))
    });
    Ok(common_shift(pairs))
}

fn common_shift(pairs: impl Iterator<Item = (Instant, Instant)>) -> Option<Warning> {
    let (mut all, mut shifts) = (0_u64, BTreeMap::<i64, u64>::new());
    for (said, known) in pairs {
        all += 1;
        let seconds = (said - known).num_seconds();
        let quarter = QUARTER_MINUTES * 60;
        let nearest = (seconds + quarter.div_euclid(2)).div_euclid(quarter) * quarter;
        let minutes = nearest / 60;
        if (seconds - nearest).abs() <= SLACK_SECONDS && minutes.abs() >= SHIFT_MINUTES_MIN {
            *shifts.entry(minutes).or_default() += 1;
        }
    }
    let (minutes, rows) = shifts.into_iter().max_by_key(|(_, rows)| *rows)?;
    (rows * 2 > all).then_some(Warning::ZoneShift { minutes, rows })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(said: &str, known: &str) -> (Instant, Instant) {
        (said.parse().unwrap(), known.parse().unwrap())
    }

    #[test]
    fn only_whole_quarters_that_most_rows_share_are_a_wrong_zone() {
        let near = pair("2026-11-20T10:00:30Z", "2026-11-20T10:00:00Z");
        let eight = pair("2026-11-20T18:00:20Z", "2026-11-20T10:00:00Z");
        let half = pair("2026-11-20T04:31:00Z", "2026-11-20T10:00:00Z");
        let slow = pair("2026-11-20T10:52:00Z", "2026-11-20T10:00:00Z");
        let found = |pairs: &[(Instant, Instant)]| common_shift(pairs.iter().copied());
        assert_eq!(found(&[near, near]), None);
        assert_eq!(found(&[eight, eight, near]), Some(Warning::ZoneShift { minutes: 480, rows: 2 }));
        assert_eq!(found(&[half]), Some(Warning::ZoneShift { minutes: -330, rows: 1 }));
        assert_eq!(found(&[eight, near]), None, "not most of them");
        assert_eq!(found(&[slow]), None, "somebody who took long to pay");
        assert_eq!(found(&[]), None);
    }
}
