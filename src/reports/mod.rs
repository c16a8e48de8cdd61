//! One file per report: (view, settings, query) to typed report. Pure: no HTTP, no SQL, no texts.

mod conversion;
mod daily_close;
mod failures;
mod fee_basis;
mod fees;
mod figure;
mod maturity;
mod overview;
mod period;
mod query;
mod tally;
#[cfg(test)]
mod testing;
mod walk;

pub use conversion::{Conversion, ConversionRow, ConversionSection, Rates, ValueShare, conversion};
pub use daily_close::{CashCount, CashEntry, CloseRow, CloseSection, DailyClose, daily_close};
pub use failures::{FailureCode, FailureRow, Failures, Outcomes};
pub use fees::{Audit, Fees, FeesBreakdownRow, FeesPoint, FeesRow, FeesSection, Verdict, fees};
pub use figure::{Bucket, BucketState, Compared, FeeSums, Ladder, Pair};
pub use maturity::Aged;
pub use overview::{BreakdownRow, HeatCell, Overview, OverviewPoint, OverviewSection, Slice, overview};
pub use period::{Before, Compare, PERIOD_DAYS_MAX, Period, Span, Step};
pub use query::{Breakdown, Filter, Query, Selection, Settings, Subject};
