//! Configuration, startup, shutdown, commands.

pub mod cli;
pub mod config;
mod daily_report;
mod data_folder;
pub mod demo;
mod server;
mod start;

pub use cli::run;
pub use daily_report::DailyReport;
pub use data_folder::{DataFolder, InUse, secret_of};
pub use server::bind;
pub use start::{Running, door_keys, pseudonyms_with, seal_with, start};
