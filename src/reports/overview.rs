use crate::domain::{Currency, Proportion, Word};

use super::figure::{Bucket, Compared, Ladder};
use super::period::{Span, Step};

/// How much was taken, and what became of it. Sections of different currencies are never added.
#[derive(Clone, Debug, PartialEq)]
pub struct Overview {
    pub spans: Vec<Span>,
    pub step: Step,
    /// The chart's time axis; every series below has one entry for each.
    pub buckets: Vec<Bucket>,
    /// The first store's currency first, then by code. Empty: no data.
    pub sections: Vec<OverviewSection>,
}

/// All figures of one currency.
#[derive(Clone, Debug, PartialEq)]
pub struct OverviewSection {
    pub currency: Currency,
    /// Volume, payments, refunds, fees, net proceeds: see [`Ladder`].
    pub ladder: Compared<Ladder>,
    /// Payment success rate: paid of the attempt groups that were submitted and are mature.
    pub success: Compared<Proportion>,
    pub series: Vec<OverviewPoint>,
    /// By volume, largest first.
    pub providers: Vec<Slice>,
    pub methods: Vec<Slice>,
    /// Basket amounts by category, largest first; [`Word::NONE`] is uncategorised.
    pub categories: Vec<Slice>,
    /// Rows of the breakdown asked for, by volume; they add up to `ladder`. Empty without one.
    pub breakdown: Vec<BreakdownRow>,
    /// By weekday of the business day (Monday first), then by hour of the wall clock.
    pub heat: [[HeatCell; 24]; 7],
}

/// One bucket of the chart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OverviewPoint {
    /// `None`: not begun, or before data begin.
    pub value: Option<Ladder>,
    /// The same bucket of the earlier period, also where the running one is not there yet.
    pub before: Option<Ladder>,
}

/// One value of a dimension, with its share of the volume.
#[derive(Clone, Debug, PartialEq)]
pub struct Slice {
    /// [`Word::NONE`] is "not given".
    pub key: Word,
    pub count: i64,
    /// Minor units.
    pub amount: Compared<i128>,
    /// Millionths of the section's total; `None` out of nothing.
    pub share_ppm: Option<i128>,
    /// Amounts per bucket, for a sparkline.
    pub series: Vec<i128>,
}

/// One row of a breakdown.
#[derive(Clone, Debug, PartialEq)]
pub struct BreakdownRow {
    /// Value of the dimension; for stores the slug. [`Word::NONE`] is "not given".
    pub key: Word,
    pub ladder: Compared<Ladder>,
    /// As in the section; nothing where the dimension is not in the cells (operators).
    pub success: Compared<Proportion>,
}

/// Payments of one hour of the week.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeatCell {
    pub payments: i64,
    pub paid: i128,
    /// How many such hours have begun in the period; 0 means no value.
    pub hours: u32,
}
