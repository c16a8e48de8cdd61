use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;

use crate::app::DataFolder;
use crate::app::config::DataOptions;
use crate::jobs::repair::{Plan, Workshop, carry_out, plan};
use crate::lake::Lake;
use crate::store::Database;

use super::serve::now;

#[derive(Args, Debug)]
pub(super) struct Options {
    #[command(flatten)]
    data: DataOptions,
    /// A backup, or a folder of backups, in which lost files are looked for; may be given several times
    #[arg(long, value_name = "BACKUP")]
    from: Vec<PathBuf>,
    /// Do it; without this only what would be done is said
    #[arg(long)]
    yes: bool,
    /// Give up rows that are nowhere to be found and take them out of the figures
    #[arg(long)]
    accept_loss: bool,
}

/// Puts right what the doctor finds. The server must be stopped.
pub(super) async fn run(options: Options) -> anyhow::Result<()> {
    let folder = &options.data.data_dir;
    if !folder.is_dir() {
        bail!("there is no data folder {}", folder.display());
    }
    let _lock = DataFolder::open(folder)?;
    let database = Database::open(options.data.database()?).await.context("opening the database")?;
    let shop = Workshop {
        folder: folder.clone(),
        lake: Lake::open(&folder.join("lake")).context("opening the lake")?,
        database: database.clone(),
        backups: options.from.clone(),
    };
    let outcome = repair(&shop, &options).await;
    database.close().await;
    outcome
}

async fn repair(shop: &Workshop, options: &Options) -> anyhow::Result<()> {
    let planned = plan(shop, now()).await?;
    print(&planned);
    if planned.is_empty() {
        println!("There is nothing to repair.");
        return Ok(());
    }
    if !options.yes {
        println!("Nothing was changed. To do it: tillwatch repair --yes");
        return Ok(());
    }
    carry_out(shop, planned, options.accept_loss, now()).await?;
    // What was lost may have hidden wrong figures.
    let rest = plan(shop, now()).await?;
    if !rest.is_empty() {
        print(&rest);
        carry_out(shop, rest, options.accept_loss, now()).await?;
    }
    println!("Done. Run `tillwatch doctor` to be sure.");
    Ok(())
}

fn print(plan: &Plan) {
    for (file, cure) in &plan.files {
        println!("file     {} ({} rows of {}) {}", file.path, file.live_rows(), file.day, cure.says());
    }
    if plan.lost().next().is_some() {
        println!(
            "         Other ways: --from BACKUP, or ask the sender for those days again after --accept-loss."
        );
    }
    if plan.rollups_are_wrong {
        println!("figures  are not those of the rows: they are made anew");
    }
    for (seq, reason) in &plan.held_batches {
        println!("batch    {seq} was held ({reason}): it is tried again");
    }
    for path in &plan.strangers {
        println!("file     {path} is nobody's: it is moved to lost+found");
    }
}
