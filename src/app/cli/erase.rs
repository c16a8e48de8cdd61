use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;

use crate::app::config::DataOptions;
use crate::app::{DataFolder, pseudonyms_with};
use crate::domain::Word;
use crate::intake::rejected::erase_from_rejected;
use crate::jobs::erase::{ERASURES, erase, erasures_of, log_erasures, pseudonyms_of};
use crate::lake::Lake;
use crate::store::Database;

use super::serve::now;

#[derive(Args, Debug)]
pub(super) struct Options {
    #[command(flatten)]
    data: DataOptions,
    /// The customer as the shop names them: id, mail address or telephone number, as it was sent
    #[arg(long, value_name = "REFERENCE")]
    customer: String,
    /// Why: the request's number, or a word; kept in the log of erasures
    #[arg(long, default_value = "request", value_name = "TEXT")]
    basis: String,
    /// Folders of backups that get the log of erasures too, so that a restore erases again; may be given several times
    #[arg(long, value_name = "DIR")]
    backups: Vec<PathBuf>,
    /// Do it; without this nothing is changed
    #[arg(long)]
    yes: bool,
}

/// Takes one person out of everything that is kept. The server must be stopped.
pub(super) async fn run(options: Options) -> anyhow::Result<()> {
    let folder = &options.data.data_dir;
    if !folder.is_dir() {
        bail!("there is no data folder {}", folder.display());
    }
    let lock = DataFolder::open(folder)?;
    let database = Database::open(options.data.database()?).await.context("opening the database")?;
    let lake = Lake::open(&folder.join("lake")).context("opening the lake")?;
    let providers: BTreeSet<Word> =
        database.load_snapshot().await?.freshness.into_keys().map(|(_, _, provider)| provider).collect();
    let pseudonyms = pseudonyms_with(&lock.secret()?);
    let people = pseudonyms_of(&pseudonyms, &providers, &options.customer);
    if !options.yes {
        println!(
            "Payments stay, for the books rest on their amounts; what points to this person goes: from files,"
        );
        println!("their earlier versions, batches and rejected lines. It cannot be undone. To do it: --yes");
        database.close().await;
        return Ok(());
    }
    let erasures = erasures_of(&people, &options.basis, now());
    // First the logs: whoever restores a backup while this runs erases again.
    for place in options.backups.iter().chain([folder]) {
        log_erasures(place, &erasures)?;
    }
    // Lines that were rejected are kept as they came, as far as they point to nobody: to be sure.
    let texts: Vec<&str> = people.iter().chain([&options.customer]).map(String::as_str).collect();
    erase_from_rejected(&database, &pseudonyms, &texts).await.context("looking through rejected lines")?;
    let erased = erase(&database, &lake, &erasures, now()).await;
    database.close().await;
    let erased = erased?;
    println!("erased      {} rows in {} files and {} batches", erased.rows, erased.files, erased.batches);
    println!(
        "log         {}: copy it to wherever backups are kept; `tillwatch restore` reads it",
        folder.join(ERASURES).display()
    );
    Ok(())
}
