//! One file per report: (view, settings, query) to typed report. Pure: no HTTP, no SQL, no texts.

mod fee_basis;
mod figure;
mod maturity;
mod overview;
mod period;
mod query;
mod tally;
#[cfg(test)]
mod testing;
mod walk;

pub use figure::{Bucket, BucketState, Compared, FeeSums, Ladder, Pair};
pub use overview::{BreakdownRow, HeatCell, Overview, OverviewPoint, OverviewSection, Slice, overview};
pub use period::{Before, Compare, PERIOD_DAYS_MAX, Period, Span, Step};
pub use query::{Breakdown, Filter, Query, Selection, Settings, Subject};
