//! Columnar batches (Arrow IPC in the inbox) and Parquet files: encode, decode, write, read, supersede, verify.

mod file;

pub use file::{FileSet, LakeFile};
