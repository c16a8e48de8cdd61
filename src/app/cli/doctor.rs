use std::sync::Arc;

use anyhow::{Context, bail};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use crate::app::config::DataOptions;
use crate::app::{DataFolder, InUse};
use crate::jobs::doctor::{Checkup, Hears, Patient, Progress, examine};
use crate::lake::Lake;
use crate::store::Database;

use super::serve::now;

#[derive(Args, Debug)]
pub(super) struct Options {
    #[command(flatten)]
    data: DataOptions,
    /// Print everything as one JSON object
    #[arg(long)]
    json: bool,
}

/// Looks at everything and changes nothing. Fails when anything is wrong.
pub(super) async fn run(options: Options) -> anyhow::Result<()> {
    let folder = &options.data.data_dir;
    if !folder.is_dir() {
        bail!("there is no data folder {}", folder.display());
    }
    // Held while the doctor looks, so that no server starts in between.
    let lock = match DataFolder::open(folder) {
        Ok(lock) => Some(lock),
        Err(error) if error.is::<InUse>() => None,
        Err(error) => return Err(error),
    };
    let database = Database::open_to_look(&options.data.database()?).await.context("opening the database")?;
    let lake = Lake::open(&folder.join("lake")).context("opening the lake")?;
    let patient = Patient { folder, database: &database, lake: &lake, now: now(), running: lock.is_none() };
    let bar = ProgressBar::new(1);
    let checkup = examine(&patient, hears(&bar)).await?;
    bar.finish_and_clear();
    database.close().await;
    if options.json {
        println!("{}", serde_json::to_string_pretty(&checkup)?);
    } else {
        if lock.is_none() {
            println!("A server holds this folder: it was looked at while it runs.");
        }
        print(&checkup);
    }
    match checkup.findings.len() {
        0 => Ok(()),
        1 => bail!("1 finding"),
        many => bail!("{many} findings"),
    }
}

/// A bar that shows how far an examination is.
pub(super) fn hears(bar: &ProgressBar) -> Hears {
    if let Ok(style) = ProgressStyle::with_template("{msg:10} {bar:40} {percent:>3} %") {
        bar.set_style(style);
    }
    let bar = bar.clone();
    Arc::new(move |progress: Progress| {
        bar.set_message(progress.check);
        bar.set_length(progress.of.max(1));
        bar.set_position(progress.done);
    })
}

/// Everything the doctor has to say, for people.
pub(super) fn print(checkup: &Checkup) {
    for fact in &checkup.facts {
        println!("well      {:<9} {}", fact.check, fact.says);
    }
    for left in &checkup.left_out {
        println!("left out  {:<9} {}", left.check, left.why);
    }
    for finding in &checkup.findings {
        println!("WRONG     {:<9} {}", finding.check, finding.what);
        println!("          means     {}", finding.means);
        println!("          do        {}", finding.todo);
    }
}
