//! The runner and the jobs.

mod expire;
mod fold;
mod payment_metrics;
mod rebuild;
mod runner;

pub use expire::Expire;
pub use fold::Fold;
pub use rebuild::rebuild_rollups;
pub use runner::{Job, JobContext, JobReport, Runner};
