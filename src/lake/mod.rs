//! Columnar batches (Arrow IPC in the inbox) and Parquet files: encode, decode, write, read, supersede, verify.
