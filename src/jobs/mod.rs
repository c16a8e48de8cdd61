//! The runner and the jobs.

mod runner;

pub use runner::{Job, JobContext, JobReport, Runner};
