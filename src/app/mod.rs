//! Configuration, startup, shutdown, commands.

pub mod cli;
pub mod config;
mod data_folder;
pub mod demo;
mod server;
mod start;

pub use cli::run;
pub use data_folder::{DataFolder, InUse, secret_of};
pub use server::bind;
pub use start::{Running, door_keys, start};
