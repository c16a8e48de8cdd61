//! The runner and the jobs.

pub mod backup;
pub mod disk;
pub mod doctor;
pub mod erase;
mod evaluate_alerts;
mod expire;
mod fetch_bills;
mod figures;
pub mod fold;
mod fresh;
mod inspect;
mod notify;
mod payment_metrics;
pub mod portable;
mod rebuild;
mod reconcile;
pub mod repair;
pub mod retention;
mod rollups;
mod runner;
mod scrub;
pub mod sweep_uploads;
pub mod wecom;
mod withdraw;

pub use evaluate_alerts::EvaluateAlerts;
pub use expire::Expire;
pub use fetch_bills::{FetchBills, newest_day, oldest_day};
pub use fold::{Compact, Fold};
pub use fresh::fresh_blocks;
pub use inspect::Inspect;
pub use notify::Notify;
pub use rebuild::{ready_snapshot, rebuild_levels, rebuild_rollups};
pub use reconcile::Reconcile;
pub use runner::{Job, JobContext, JobReport, Runner};
pub use scrub::Scrub;
pub use withdraw::Withdraw;
