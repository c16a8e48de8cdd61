//! Columnar batches (Arrow IPC in the inbox) and Parquet files: encode, decode, write, read, supersede, verify.

mod batch;
mod columns;
mod control;
mod disk;
mod encode;
mod file;
mod filter;
mod folder;
mod forget;
mod gather;
mod pruned;
mod recover;
mod supersede;
mod superseded;
mod table;
mod trust;

pub use batch::{BATCH_ROWS_MAX, BatchBuilder, EncodedRows, Incoming, Rows, decode_batch, encode_batch};
pub use columns::{Frame, FrameError};
pub use control::ControlTotal;
pub use encode::{MICRO, StreamRecord, group_hash};
pub use file::{FileSet, LakeFile};
pub use filter::{FILTER_BYTES_MAX, FileFilters, FilterCache};
pub use folder::{Lake, LakeError, control_total};
pub use forget::{encode_frame, person_hash};
pub use recover::{KeptBatch, Recovered, recover};
pub use supersede::{Outcome, Place, Supersession, Version, supersede};
pub use superseded::{SupersededRows, SupersededRowsError};
pub use table::{
    GROUP_HASH_COLUMNS, IMPORT_COLUMN, ROW_GROUP_ROWS, SortKey, Table, VERSION_COLUMNS, partition_column,
    sorted, split_by_day,
};
