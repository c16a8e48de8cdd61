//! Metrics (one registry, every definition in `metrics.rs`) and logging.
//!
//! # How to add a metric
//!
//! Define it in `metrics.rs` (base unit in the name, a sentence as help, labels from a closed set wherever one
//! exists), give it one typed method in `recording.rs`, and call that from the one place that knows the fact.
//! A store, an order, a payer or a free error text is never a label.

mod arrivals;
mod guarded;
mod logging;
mod metrics;
mod process;
#[cfg(test)]
mod promlint;
mod recording;

pub use arrivals::{Arrival, Arrivals};
pub use logging::{LogFormat, LoggingError, start_logging};
pub use metrics::{CONTENT_TYPE, Metrics, MetricsError};
pub use recording::{
    AlertCount, BeaconResult, BillResult, FoldResult, IngestResult, NoticeResult, Outcome, RequestInFlight,
    RunResult,
};
