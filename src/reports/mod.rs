//! One file per report: (view, settings, query) to typed report. Pure: no HTTP, no SQL, no texts.

mod figure;
mod overview;
mod period;
mod query;
#[cfg(test)]
mod testing;

pub use figure::{Bucket, BucketState, Compared, FeeSums, Ladder, Pair};
pub use overview::{BreakdownRow, HeatCell, Overview, OverviewPoint, OverviewSection, Slice};
pub use period::{Before, Compare, PERIOD_DAYS_MAX, Period, Span, Step};
pub use query::{Breakdown, Filter, Query, Selection, Settings, Subject};
