use std::sync::Arc;

use anyhow::Context;
use chrono::TimeDelta;
use clap::Args;

use crate::app::config::{BackupOptions, Config, DataOptions, ServerOptions};
use crate::app::{Running, bind, start};
use crate::domain::{Clock, Sabotage, SystemClock};
use crate::telemetry::start_logging;
use crate::web::door::{random_hex, token_hash};

/// How long the set-up link works.
const SETUP_WITHIN: TimeDelta = TimeDelta::minutes(30);

#[derive(Args, Debug)]
pub(super) struct Options {
    #[command(flatten)]
    data: DataOptions,
    #[command(flatten)]
    server: ServerOptions,
    #[command(flatten)]
    backup: BackupOptions,
    /// Break these promises, so that their tests can be seen to fail; a release build has no such option
    #[cfg(debug_assertions)]
    #[arg(long = "break", hide = true, value_delimiter = ',', value_name = "PROMISE")]
    broken: Vec<crate::domain::Promise>,
}

impl Options {
    #[cfg(debug_assertions)]
    fn sabotage(&self) -> Sabotage {
        Sabotage::of(&self.broken)
    }

    #[cfg(not(debug_assertions))]
    #[expect(clippy::unused_self, reason = "reads an option in debug builds")]
    fn sabotage(&self) -> Sabotage {
        Sabotage::default()
    }
}

/// Serves until SIGTERM or Ctrl-C.
pub(super) async fn run(options: Options) -> anyhow::Result<()> {
    start_logging(options.server.log.log, &options.server.log.log_filter).context("starting the log")?;
    let config = Config { sabotage: options.sabotage(), ..Config::of(&options.data, &options.server)? };
    let mut running = start(&config, Arc::new(SystemClock)).await?;
    running.watch()?;
    if let Some(schedule) = options.backup.schedule() {
        running.back_up(schedule);
    }
    let (server, address) = bind(&running.state, config.listen)?;
    println!("Tillwatch listens on http://{address}, data in {}", config.data_dir.display());
    offer_setup(&running, &config.public_origin).await?;
    // Ends by itself on SIGTERM and Ctrl-C, after running requests.
    server.await.context("serving")?;
    println!("stopping: committing what was accepted");
    running.stop().await;
    Ok(())
}

/// Prints a link for the owner's account and first store, as long as nobody can sign in.
async fn offer_setup(running: &Running, origin: &str) -> anyhow::Result<()> {
    let state = &running.state;
    if state.database.has_people().await? {
        println!("Open {origin} to sign in.");
        return Ok(());
    }
    let token = random_hex::<32>()?;
    let ends_at = state.clock.now() + SETUP_WITHIN;
    state.database.put_setup_token(&token_hash(&token), ends_at).await?;
    println!("First start. Within 30 minutes, set up the owner's account and the first store:");
    println!("  {origin}/setup?token={token}");
    println!("The link works once. Start the server again for a new one.");
    Ok(())
}

/// The clock of commands.
pub(super) fn now() -> crate::domain::Instant {
    SystemClock.now()
}
