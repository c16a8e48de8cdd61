//! Plain sums over rows, and the same out of the rollups. The doctor compares the two; they share no code on purpose.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use crate::domain::{Kind, Status, StoreId, Word, instant_from_ms};
use crate::lake::{Frame, FrameError};

use super::changes::Changes;
use super::rollup::{Feed, MoneyKey, MoneyKind, MoneySums};

/// The columns that [`add_to_totals`] reads.
pub const TOTAL_COLUMNS: [&str; 9] =
    ["store", "kind", "status", "amount", "currency", "created_ms", "completed_ms", "witness", "test"];

/// Money that moved, by store, UTC day of the cash clock and currency.
pub type Totals = BTreeMap<(StoreId, NaiveDate, Word), Total>;

/// What was paid and what was given back, in minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Total {
    pub payments: i64,
    pub paid: i128,
    pub refunds: i64,
    pub refunded: i128,
}

/// Adds transactions row by row; witnesses, tests and what did not move count nothing.
///
/// # Errors
/// [`FrameError`] when a column is missing.
pub fn add_to_totals(totals: &mut Totals, rows: &Frame) -> Result<(), FrameError> {
    let data = rows.data();
    let (stores, amounts) = (data.column("store")?.i64()?, data.column("amount")?.i64()?);
    let (kinds, statuses) = (data.column("kind")?.str()?, data.column("status")?.str()?);
    let currencies = data.column("currency")?.str()?;
    let (created, completed) = (data.column("created_ms")?.i64()?, data.column("completed_ms")?.i64()?);
    let (witness, test) = (data.column("witness")?.bool()?, data.column("test")?.bool()?);
    for row in 0..data.height() {
        let posted = statuses.get(row).and_then(Status::parse).is_some_and(Status::is_posted);
        if !posted || witness.get(row) == Some(true) || test.get(row) == Some(true) {
            continue;
        }
        let is = |kind: Kind| kinds.get(row) == Some(kind.as_str());
        if !is(Kind::Payment) && !is(Kind::Refund) {
            continue;
        }
        let at = completed.get(row).or_else(|| created.get(row)).unwrap_or(0);
        let place = (
            StoreId(stores.get(row).unwrap_or(0)),
            instant_from_ms(at).date_naive(),
            Word::of(currencies.get(row).unwrap_or_default()),
        );
        let amount = i128::from(amounts.get(row).unwrap_or(0));
        let total = totals.entry(place).or_default();
        if is(Kind::Payment) {
            total.payments += 1;
            total.paid += amount;
        } else {
            total.refunds += 1;
            total.refunded += amount;
        }
    }
    Ok(())
}

/// Adds one money cell of a store's UTC day.
pub fn add_cell_to_totals(
    totals: &mut Totals,
    (store, day): (StoreId, NaiveDate),
    key: &MoneyKey,
    sums: &MoneySums,
) {
    if key.feed != Feed::Live || !matches!(key.kind, MoneyKind::Payment | MoneyKind::Refund) {
        return;
    }
    let total = totals.entry((store, day, key.currency)).or_default();
    if key.kind == MoneyKind::Payment {
        total.payments += sums.count;
        total.paid += sums.amount;
    } else {
        total.refunds += sums.count;
        total.refunded += sums.amount;
    }
}

/// The same out of the rollups of UTC days.
pub fn totals_of_rollups(rollups: &Changes) -> Totals {
    let mut totals = Totals::new();
    for (place, block) in rollups {
        for (key, sums) in &block.money {
            add_cell_to_totals(&mut totals, *place, key, sums);
        }
    }
    totals.retain(|_, total| *total != Total::default());
    totals
}
