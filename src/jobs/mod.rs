//! The runner and the jobs.
