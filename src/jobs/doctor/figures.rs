use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::Context;
use chrono::{Days, NaiveDate};

use crate::analytics::{
    BlockKey, Grains, Level, Snapshot, TOTAL_COLUMNS, Totals, add_to_totals, level_changes, totals_of_rollups,
};
use crate::domain::{Stream, instant_from_ms};
use crate::jobs::rebuild_rollups;
use crate::lake::{FileSet, Lake, LakeFile};
use crate::store::KeptLevels;

use super::checkup::Checkup;
use super::{Hears, Progress};

/// Days of findings that are named; more are counted.
const DAYS_NAMED_MAX: usize = 20;

/// Rollups against a full rebuild from the rows, and figures against plain sums over the rows. Days that a lost file
/// reaches are left out: what they should be cannot be known from rows that are not there.
pub(super) fn examine(
    checkup: &mut Checkup,
    lake: &Lake,
    mut snapshot: Snapshot,
    kept: &KeptLevels,
    lost: &[Arc<LakeFile>],
    grains: &Grains,
    hears: &Hears,
) -> anyhow::Result<()> {
    let unknown = days_reached(lost);
    if !unknown.is_empty() {
        let why =
            format!("{} cannot be compared: rows of them, or of days beside them, are lost", days(&unknown));
        checkup.leave_out("rollups", why.clone());
        checkup.leave_out("totals", why);
    }
    let ids: BTreeSet<&str> = lost.iter().map(|file| file.id.as_str()).collect();
    snapshot.files.values_mut().for_each(|files| files.retain(|file| !ids.contains(file.id.as_str())));
    let comparable = |day: &NaiveDate| !unknown.contains(day);

    let totals = row_totals(lake, &snapshot, hears)?;
    examine_totals(checkup, &totals, &totals_of_rollups(&kept.levels.hours()), comparable);

    hears(Progress { check: "rollups", done: 0, of: 1 });
    let rebuilt = rebuild_rollups(lake, &snapshot, grains).context("rebuilding the rollups")?;
    let rebuilt = level_changes(&rebuilt, &snapshot.calendars);
    let comparable_block = |key: &BlockKey| match key.level {
        Level::Hours | Level::AllHours => comparable(&key.day),
        // A business day may take in hours of the UTC days beside it.
        _ => [key.day.pred_opt(), Some(key.day), key.day.succ_opt()].iter().flatten().all(comparable),
    };
    let wrong: BTreeSet<NaiveDate> = rebuilt
        .unlike(&kept.levels)
        .iter()
        .map(|written| &written.key)
        .chain(&kept.damaged)
        .filter(|key| comparable_block(key))
        .map(|key| key.day)
        .collect();
    hears(Progress { check: "rollups", done: 1, of: 1 });
    if wrong.is_empty() {
        let blocks = kept.levels.blocks.len() + kept.levels.stores.len();
        checkup.well("rollups", format!("{blocks} blocks of every level equal a full rebuild from the rows"));
    } else {
        checkup.found(
            "rollups",
            format!("the prepared figures of {} are not those that the records give", days(&wrong)),
            "pages that show those days show wrong figures",
            "run `tillwatch repair`: it makes them anew from the records",
        );
    }
    Ok(())
}

/// UTC days whose cells a row of these files may touch: its own day, where its money moved, and the payments that
/// attempts of two days on either side belong to.
pub(in crate::jobs) fn days_reached(files: &[Arc<LakeFile>]) -> BTreeSet<NaiveDate> {
    let mut reached = BTreeSet::new();
    for file in files.iter().filter(|file| file.file_set == FileSet::Current) {
        let last_event = instant_from_ms(file.last_event_ms).date_naive();
        let around = if file.stream == Stream::Transactions { 2 } else { 0 };
        let first = file.day.checked_sub_days(Days::new(around)).unwrap_or(file.day);
        let last = file.day.checked_add_days(Days::new(around)).unwrap_or(file.day).max(last_event);
        reached.extend(first.iter_days().take_while(|day| *day <= last));
    }
    reached
}

fn row_totals(lake: &Lake, snapshot: &Snapshot, hears: &Hears) -> anyhow::Result<Totals> {
    let files: Vec<&Arc<LakeFile>> = snapshot
        .files
        .iter()
        .filter(|((stream, _), _)| *stream == Stream::Transactions)
        .flat_map(|(_, files)| files)
        .filter(|file| file.file_set == FileSet::Current)
        .collect();
    let of = u64::try_from(files.len())?;
    let mut totals = Totals::new();
    for (file, done) in files.iter().zip(1..) {
        let rows = lake.read(file, Some(&TOTAL_COLUMNS)).with_context(|| format!("reading {}", file.path))?;
        add_to_totals(&mut totals, &rows)?;
        hears(Progress { check: "totals", done, of });
    }
    Ok(totals)
}

fn examine_totals(
    checkup: &mut Checkup,
    rows: &Totals,
    rollups: &Totals,
    comparable: impl Fn(&NaiveDate) -> bool,
) {
    let places: BTreeSet<_> = rows.keys().chain(rollups.keys()).copied().collect();
    let differ = |place: &&(crate::domain::StoreId, NaiveDate, crate::domain::Word)| {
        comparable(&place.1)
            && rows.get(*place).copied().unwrap_or_default()
                != rollups.get(*place).copied().unwrap_or_default()
    };
    let wrong: Vec<_> = places.iter().filter(differ).collect();
    if wrong.is_empty() {
        checkup.well(
            "totals",
            format!("{} days and currencies: figures equal the sum of the records", places.len()),
        );
        return;
    }
    for place in wrong.iter().take(DAYS_NAMED_MAX) {
        let (should, is) =
            (rows.get(*place).copied().unwrap_or_default(), rollups.get(*place).copied().unwrap_or_default());
        checkup.found(
            "totals",
            format!(
                "store {} on {} (UTC) in {}: pages show {} payments of {} minor units and {} refunds of {}; the records sum to {} of {} and {} of {}",
                place.0.0, place.1, place.2, is.payments, is.paid, is.refunds, is.refunded,
                should.payments, should.paid, should.refunds, should.refunded
            ),
            "the pages of that day show wrong amounts",
            "run `tillwatch repair`: it makes the figures anew from the records",
        );
    }
    if wrong.len() > DAYS_NAMED_MAX {
        checkup.found(
            "totals",
            format!("{} more days and currencies differ", wrong.len() - DAYS_NAMED_MAX),
            "as above",
            "run `tillwatch repair`",
        );
    }
}

fn days(days: &BTreeSet<NaiveDate>) -> String {
    let named: Vec<String> = days.iter().take(DAYS_NAMED_MAX).map(ToString::to_string).collect();
    let more = days.len().saturating_sub(DAYS_NAMED_MAX);
    if more == 0 { named.join(", ") } else { format!("{} and {more} more days", named.join(", ")) }
}
