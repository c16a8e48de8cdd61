//! The runner and the jobs.

mod evaluate_alerts;
mod expire;
mod fold;
mod notify;
mod payment_metrics;
mod rebuild;
mod runner;
pub mod wecom;

pub use evaluate_alerts::EvaluateAlerts;
pub use expire::Expire;
pub use fold::Fold;
pub use notify::Notify;
pub use rebuild::rebuild_rollups;
pub use runner::{Job, JobContext, JobReport, Runner};
