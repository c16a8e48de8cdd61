//! The foot of a report: this figure, the sum of its rows, the bills' total, and the gap.

use std::collections::{BTreeMap, BTreeSet};

use crate::analytics::View;
use crate::analytics::reconciliation::DaySum;
use crate::domain::{Currency, DayError, StoreId, Word};

use super::fee_basis::Movements;
use super::query::{Query, Settings};

/// One currency of a foot. Paid (stored value bought too) less refunds and disputes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FootRow {
    pub currency: Currency,
    /// What the page's rollups come to.
    pub figure: Option<i128>,
    /// The sum of the rows, as reconciliation read them one by one.
    pub rows: Option<i128>,
    /// What the bills say, of accounts and days that have one.
    pub bills: Option<i128>,
    /// Rows less bills, of accounts and days that have a bill.
    pub gap: Option<i128>,
}

/// Makes the foot of a report over the asked period. `sums` are the books' sums of its days.
///
/// # Errors
/// [`DayError`] at the ends of the calendar.
pub fn foot(
    view: &View,
    query: &Query,
    settings: &Settings,
    sums: &[DaySum],
) -> Result<Vec<FootRow>, DayError> {
    let figures = figures(view, query, settings)?;
    let stores: BTreeSet<StoreId> = query.stores.iter().map(|store| store.id).collect();
    let mut rows: BTreeMap<Currency, i128> = BTreeMap::new();
    let mut billed: BTreeMap<Currency, (i128, i128)> = BTreeMap::new();
    for day in sums.iter().filter(|day| stores.contains(&day.store)) {
        *rows.entry(day.currency).or_default() += day.shop;
        if let Some((shop, bill)) = day.billed {
            let sum = billed.entry(day.currency).or_default();
            sum.0 += shop;
            sum.1 += bill;
        }
    }
    let currencies: BTreeSet<Currency> = figures.keys().chain(rows.keys()).copied().collect();
    let wanted = |currency: &Currency| query.currency.is_none_or(|only| only == *currency);
    Ok(currencies
        .into_iter()
        .filter(wanted)
        .map(|currency| {
            let bill = billed.get(&currency);
            FootRow {
                currency,
                figure: figures.get(&currency).copied(),
                rows: rows.get(&currency).copied(),
                bills: bill.map(|(_, bill)| *bill),
                gap: bill.map(|(shop, bill)| shop - bill),
            }
        })
        .collect())
}

fn figures(view: &View, query: &Query, settings: &Settings) -> Result<BTreeMap<Currency, i128>, DayError> {
    let spans = query.spans()?;
    let mut figures: BTreeMap<Word, i128> = BTreeMap::new();
    Movements::of(view, query, settings, &spans).each(Movements::detail_asked(query), |movement| {
        if !movement.place.before {
            let ladder = &movement.ladder;
            *figures.entry(movement.key.currency).or_default() += ladder.net_sales() + ladder.top_up_amount;
        }
    });
    let known = |(code, minor): (Word, i128)| Currency::parse(&code).ok().map(|currency| (currency, minor));
    Ok(figures.into_iter().filter_map(known).collect())
}
