//! One file per report: (view, settings, query) to typed report. Pure: no HTTP, no SQL, no texts.

mod categories;
mod conversion;
mod customers;
mod daily_close;
mod failures;
mod fee_basis;
mod fees;
mod figure;
mod foot;
mod funnel;
mod go_live;
mod limbo;
mod maturity;
mod overview;
mod period;
mod plan;
mod query;
pub mod reconciliation;
mod tally;
#[cfg(test)]
mod testing;
mod transactions;
mod walk;

pub use categories::{
    Categories, CategoriesSection, CategoryRow, ItemFigures, ItemsRow, PRODUCTS_MAX, ProductRow, categories,
};
pub use conversion::{Conversion, ConversionRow, ConversionSection, Rates, ValueShare, conversion};
pub use customers::{Customers, customers};
pub use daily_close::{CashCount, CashEntry, CloseRow, CloseSection, DailyClose, daily_close};
pub use failures::{FailureCode, FailureRow, Failures, Outcomes};
pub use fees::{Audit, Fees, FeesBreakdownRow, FeesPoint, FeesRow, FeesSection, Verdict, fees};
pub use figure::{Bucket, BucketState, Compared, FeeSums, Ladder, Pair};
pub use foot::{FootRow, foot};
pub use funnel::{Funnel, FunnelStep, funnel};
pub use go_live::{Check, GO_LIVE_FEE_DAYS, GoLiveRow, Proof, go_live};
pub use limbo::{LIMBO_DAYS, LIMBO_ROWS_MAX, Limbo, LimboMethod, LimboRow, limbo, limbo_count, limbo_days};
pub use maturity::{Aged, Learned};
pub use overview::{BreakdownRow, HeatCell, Overview, OverviewPoint, OverviewSection, Slice, overview};
pub use period::{Before, Compare, PERIOD_DAYS_MAX, Period, Span, Step};
pub use plan::Plan;
pub use query::{Breakdown, Query, Settings, Subject};

pub use crate::analytics::{Filter, Selection};
pub use transactions::{SEARCH_CHARS_MAX, Search, Waterfall, day_of, net_minor};
