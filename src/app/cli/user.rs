use anyhow::{Context, bail};
use clap::{Args, Subcommand};

use crate::app::config::{DataOptions, database_path};
use crate::store::Database;
use crate::web::door::{Passwords, random_hex};

use super::serve::now;

#[derive(Subcommand, Debug)]
pub(super) enum Action {
    /// Give a person a new password and end their sessions
    ResetPassword(ResetPassword),
}

#[derive(Args, Debug)]
pub(super) struct ResetPassword {
    #[command(flatten)]
    data: DataOptions,
    /// The address they sign in with
    email: String,
}

/// Works beside a running server too.
pub(super) async fn run(action: Action) -> anyhow::Result<()> {
    let Action::ResetPassword(options) = action;
    let path = database_path(&options.data.data_dir);
    if !path.exists() {
        bail!("there is no database in {}", options.data.data_dir.display());
    }
    let database = Database::open(&path).await.context("opening the database")?;
    // Printed here, never an argument: arguments stand in the shell's history.
    let password = random_hex::<12>()?;
    let hash = Passwords::default().hash(password.clone()).await?;
    let found = database.set_password(&options.email.to_lowercase(), &hash, now()).await?;
    database.close().await;
    if found.is_none() {
        bail!("nobody signs in as {}", options.email);
    }
    println!("new password: {password}");
    println!("Every session of {} has ended. Change it after signing in.", options.email);
    Ok(())
}
