//! Frames in, typed figures out: rollups, snapshot, and one file per subject. Pure: no SQL, no HTTP, no clock.

mod blocks;
mod cell;
mod changes;
mod column;
mod evidence;
mod groups;
mod levels;
mod open;
mod packed;
mod payment_times;
mod people;
pub mod reconciliation;
mod rollup;
mod rows;
mod scan;
mod sketch;
mod snapshot;
mod summed;
mod totals;
mod view;

pub use blocks::{BlockCache, Blocks, CACHE_BYTES_MAX, Wanted, Written};
pub use changes::{Changes, Grains, add_ledger_lines, add_transactions, raise_freshness};
pub use evidence::{EVIDENCE_ROWS_MAX, Evidence, Evidences, Shows, Way, evidences};
pub use groups::{Attempt, GROUP_COLUMNS, add_conversion, attempts};
pub use levels::{
    BlockKey, Calendar, Calendars, Level, LevelChanges, Owner, level_changes, next_day_in_beijing,
    provider_of, source_offset,
};
pub use open::{OPEN_PAYMENTS_MAX, OpenPayments, open_payments};
pub use packed::{Detail, FORMAT, ItemDetail, Packed, RollupError};
pub use payment_times::payment_times;
pub use people::{CustomerCounts, FunnelCounts, MAIN_WAY, customer_counts, funnel_counts};
pub use rollup::{
    AttemptKey, AttemptSums, ConversionKey, ConversionSums, DayBlock, Feed, ItemKey, ItemSums, LatencyKey,
    MoneyKey, MoneyKind, MoneySums, Payers, ProfileKey, Slot, Unit, bucket_middle_ms, bucket_of_ms,
    bucket_upper_ms,
};
pub use rows::{
    AmountRange, FieldValue, ListFilter, SEARCH_HITS_MAX, TransactionDetail, TransactionLine,
    TransactionPage, TransactionVersion, find_transactions, list_transactions, transaction_detail,
};
pub use scan::{DivideBy, Filter, Scan, Selection, scan_view};
pub use sketch::Sketch;
pub use snapshot::{Directory, Freshness, Quarantined, Snapshot, SnapshotCell};
pub use summed::{SUMS_BYTES_MAX, SumCache, Summed};
pub use totals::{TOTAL_COLUMNS, Total, Totals, add_cell_to_totals, add_to_totals, totals_of_rollups};
pub use view::{Cells, Parts, Piece, PieceTime, Side, View};
