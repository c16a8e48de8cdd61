//! Frames in, typed figures out: rollups, snapshot, and one file per subject. Pure: no SQL, no HTTP, no clock.

mod rollup;
mod snapshot;
mod view;

pub use rollup::{
    AttemptKey, AttemptSums, ConversionKey, ConversionSums, DayBlock, Feed, ItemKey, ItemSums, LatencyKey,
    MoneyKey, MoneyKind, MoneySums, RollupError, Slot, Unit, bucket_of_ms, bucket_upper_ms,
};
pub use snapshot::{Freshness, Snapshot, SnapshotCell};
pub use view::View;
