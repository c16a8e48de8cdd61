//! The runner and the jobs.

mod evaluate_alerts;
mod expire;
mod fold;
mod inspect;
mod notify;
mod payment_metrics;
mod rebuild;
mod runner;
mod scrub;
pub mod wecom;

pub use evaluate_alerts::EvaluateAlerts;
pub use expire::Expire;
pub use fold::Fold;
pub use inspect::Inspect;
pub use notify::Notify;
pub use rebuild::rebuild_rollups;
pub use runner::{Job, JobContext, JobReport, Runner};
pub use scrub::Scrub;
