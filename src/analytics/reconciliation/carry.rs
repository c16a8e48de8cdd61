use std::collections::{BTreeMap, BTreeSet};

use chrono::{Days, NaiveDate};

use super::books::{DayBooks, Finding, Unbalanced};
use super::day::{DayRows, OPEN_DAYS, reconcile_day};
use super::entry::Entry;
use super::rules::Rules;

/// What working on a day changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reworked {
    /// Days whose books are others now: this one, and earlier ones with items that it closed or opened again.
    pub changed: BTreeSet<NaiveDate>,
    /// The first later day that was worked on with other open items than there are now: it must be worked on again.
    pub carries_to: Option<NaiveDate>,
}

/// Works on a day among the books of the days around it, and puts its books in place. `books` must hold the days that
/// items may be open over: [`days_around`].
///
/// # Errors
/// [`Unbalanced`]: nothing was changed but earlier days' items being open again; drop the books.
pub fn rework_day(
    books: &mut BTreeMap<NaiveDate, DayBooks>,
    day: NaiveDate,
    (shop, lines): (Vec<Entry>, Vec<Entry>),
    rules: &Rules,
) -> Result<Reworked, Unbalanced> {
    let mut changed = BTreeSet::from([day]);
    let (first, last) = days_around(day);
    for (earlier, own) in books.range_mut(first..day) {
        for finding in &mut own.findings {
            if finding.closed.as_ref().is_some_and(|closed| closed.on == day) {
                finding.closed = None;
                changed.insert(*earlier);
            }
        }
    }
    let open = open_findings(books, day);
    let opened_with = fingerprint(&open);
    let result = reconcile_day(day, DayRows { shop, lines, open }, rules)?;
    for (id, closed) in result.closed {
        let earlier = books.range_mut(first..day);
        let found = earlier.flat_map(|(day, own)| own.findings.iter_mut().map(|one| (*day, one)));
        for (earlier, finding) in found.filter(|(_, finding)| finding.id == id) {
            finding.closed = Some(closed.clone());
            changed.insert(earlier);
        }
    }
    books.insert(day, DayBooks { opened_with, ..result.books });
    let later = day.succ_opt().map(|next| books.range(next..=last)).into_iter().flatten();
    let carries_to = later
        .map(|(later, own)| (*later, &own.opened_with))
        .find(|(later, opened_with)| fingerprint(&open_findings(books, *later)) != **opened_with)
        .map(|(later, _)| later);
    Ok(Reworked { changed, carries_to })
}

/// The first and last day whose books a day has to do with.
pub fn days_around(day: NaiveDate) -> (NaiveDate, NaiveDate) {
    let days = Days::new(OPEN_DAYS);
    (day.checked_sub_days(days).unwrap_or(day), day.checked_add_days(days).unwrap_or(day))
}

/// Findings of earlier days that are open when `day` begins; what it or later days closed is open then.
fn open_findings(books: &BTreeMap<NaiveDate, DayBooks>, day: NaiveDate) -> Vec<Finding> {
    let findings = books.range(days_around(day).0..day).flat_map(|(_, own)| &own.findings);
    let open = findings.map(|finding| {
        let later = finding.closed.as_ref().is_some_and(|closed| closed.on >= day);
        if later { Finding { closed: None, ..finding.clone() } } else { finding.clone() }
    });
    open.filter(Finding::is_open).collect()
}

/// Of open items: which, and their amounts.
fn fingerprint(open: &[Finding]) -> String {
    let mut hasher = blake3::Hasher::new();
    for one in open {
        hasher.update(one.id.to_string().as_bytes());
        hasher.update(&(one.shop_minor - one.bill_minor).to_le_bytes());
    }
    hasher.finalize().to_hex().chars().take(32).collect()
}
