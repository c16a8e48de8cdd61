//! Frames in, typed figures out: rollups, snapshot, and one file per subject. Pure: no SQL, no HTTP, no clock.

mod changes;
mod groups;
mod people;
mod rollup;
mod rows;
mod scan;
mod snapshot;
mod totals;
mod view;

pub use changes::{Changes, Grains, add_ledger_lines, add_transactions, raise_freshness};
pub use groups::{Attempt, GROUP_COLUMNS, add_conversion, attempts};
pub use people::{CustomerCounts, FunnelCounts, MAIN_WAY, customer_counts, funnel_counts};
pub use rollup::{
    AttemptKey, AttemptSums, Coarse, ConversionKey, ConversionSums, DayBlock, Feed, ItemKey, ItemSums,
    LatencyKey, MoneyKey, MoneyKind, MoneySums, RollupError, Slot, Unit, bucket_of_ms, bucket_upper_ms,
};
pub use rows::{
    AmountRange, FieldValue, ListFilter, SEARCH_HITS_MAX, TransactionDetail, TransactionLine,
    TransactionPage, TransactionVersion, find_transactions, list_transactions, transaction_detail,
};
pub use scan::{DivideBy, RowFilter, Scan, Selection, scan_view};
pub use snapshot::{Freshness, Quarantined, Snapshot, SnapshotCell};
pub use totals::{TOTAL_COLUMNS, Total, Totals, add_to_totals, totals_of_rollups};
pub use view::View;
