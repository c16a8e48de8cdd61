use anyhow::bail;
use clap::{Args, Subcommand};

use crate::app::config::DataOptions;
use crate::web::door::{Passwords, random_hex};

use super::open_database;
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
    let database = open_database(&options.data).await?;
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
