//! Columnar batches (Arrow IPC in the inbox) and Parquet files: encode, decode, write, read, supersede, verify.

mod batch;
mod columns;
mod control;
mod encode;
mod file;
mod folder;
mod forget;
mod partition;
mod recover;
mod supersede;
mod superseded;
mod trust;

pub use batch::{BATCH_ROWS_MAX, Rows, decode_batch, encode_batch};
pub use columns::{Frame, FrameError};
pub use control::ControlTotal;
pub use encode::{MICRO, StreamRecord, group_hash};
pub use file::{FileSet, LakeFile};
pub use folder::{Lake, LakeError, control_total};
pub use forget::{encode_frame, person_hash};
pub use partition::{PartitionFold, fold_partition, split_by_day};
pub use recover::{KeptBatch, Recovered, recover};
pub use supersede::{Outcome, Supersession, Version, supersede};
pub use superseded::{SupersededRows, SupersededRowsError};
