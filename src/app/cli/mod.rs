//! Commands: one file each. A command's options are its file's `Options`, its work is its file's `run`.

mod backup;
mod check_config;
mod demo;
mod doctor;
mod erase;
mod export;
mod import;
mod import_preview;
mod import_remote;
mod key;
mod repair;
mod restore;
mod retention;
mod serve;
mod user;

use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Parser, Subcommand};

use crate::app::config::DataOptions;
use crate::store::Database;

/// Tillwatch (账衡) watches the till: what was earned, what it cost, what sells, and what is going wrong.
#[derive(Parser, Debug)]
#[command(version, about, propagate_version = true)]
struct Command {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// Run the server; at the first start it prints a link for setting it up
    Serve(serve::Options),
    /// Serve three made-up stores with a history and live payments: nothing to set, nothing is kept
    Demo(demo::Options),
    /// Take in a provider's bill, or any CSV file with a mapping
    Import(import::Options),
    /// Make, list and revoke API keys
    #[command(subcommand)]
    Key(key::Action),
    /// People who may sign in
    #[command(subcommand)]
    User(user::Action),
    /// Look at everything and say what is wrong, what it means and what to do; changes nothing
    Doctor(doctor::Options),
    /// Put right what the doctor finds; says what it would do until --yes is given
    Repair(repair::Options),
    /// Make a backup, beside a running server too
    Backup(backup::Options),
    /// Bring a backup into an empty folder
    Restore(restore::Options),
    /// How long records are kept; for ever until a number of days is set
    Retention(retention::Options),
    /// Take one person out of everything that is kept
    Erase(erase::Options),
    /// Write everything as Parquet: to leave, or to move to another database
    Export(export::Export),
    /// Read an export into an empty data folder
    ImportAll(export::ImportAll),
    /// Print the settings that are in force, without secrets
    CheckConfig(check_config::Options),
}

/// Opens the database of a command that works beside a running server.
async fn open_database(data: &DataOptions) -> anyhow::Result<Database> {
    let address = data.database()?;
    if address.file().is_some_and(|file| !file.exists()) {
        bail!("there is no database {address}: run `tillwatch serve` first");
    }
    Database::open_with(&address, data.durability())
        .await
        .with_context(|| format!("opening the database {address}"))
}

/// Runs the command of this process.
pub fn run() -> ExitCode {
    let command = Command::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("tillwatch: the runtime could not start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let outcome = runtime.block_on(async {
        match command.action {
            Action::Serve(options) => serve::run(options).await,
            Action::Demo(options) => demo::run(options).await,
            Action::Import(options) => import::run(options).await,
            Action::Key(action) => key::run(action).await,
            Action::User(action) => user::run(action).await,
            Action::Doctor(options) => doctor::run(options).await,
            Action::Repair(options) => repair::run(options).await,
            Action::Retention(options) => retention::run(options).await,
            Action::Erase(options) => erase::run(options).await,
            Action::Export(options) => export::run(options).await,
            Action::ImportAll(options) => export::run_import(options).await,
            Action::Backup(options) => backup::run(options).await,
            Action::Restore(options) => restore::run(options).await,
            Action::CheckConfig(options) => check_config::run(&options),
        }
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The whole chain on one line: what was being done, and why it failed.
            eprintln!("tillwatch: {error:#}");
            ExitCode::FAILURE
        }
    }
}
