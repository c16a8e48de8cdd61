use std::collections::BTreeMap;

use chrono::NaiveDate;

use crate::domain::{LedgerLine, Word};
use crate::store::ImportDay;

/// Days of accounts that are kept of one import: those of a hundred accounts over a month.
const DAYS_KEPT_MAX: usize = 3_100;

/// Counts an import's rows by account and the source's own day.
#[derive(Debug, Default)]
pub struct ImportDays(BTreeMap<(Option<Word>, NaiveDate), BTreeMap<String, i64>>);

impl ImportDays {
    /// A row of the import. Rows without a day of their source are of no bill.
    pub fn add(&mut self, row: &LedgerLine) {
        let Some(day) = row.source_day else { return };
        let kept = self.0.len();
        let of_day = match self.0.get_mut(&(row.provider, day)) {
            Some(of_day) => of_day,
            None if kept >= DAYS_KEPT_MAX => return,
            None => self.0.entry((row.provider, day)).or_default(),
        };
        if let Some(count) = of_day.get_mut(&row.account) {
            *count += 1;
        } else if of_day.len() < DAYS_KEPT_MAX {
            of_day.insert(row.account.clone(), 1);
        }
    }

    /// What was counted, at most so many days.
    pub fn into_days(self) -> Vec<ImportDay> {
        let days = self.0.into_iter().flat_map(|((provider, day), accounts)| {
            let provider = provider.map(|word| word.as_str().to_owned()).unwrap_or_default();
            accounts.into_iter().map(move |(account, rows)| ImportDay {
                provider: provider.clone(),
                account,
                day,
                rows,
            })
        });
        days.take(DAYS_KEPT_MAX).collect()
    }
}
