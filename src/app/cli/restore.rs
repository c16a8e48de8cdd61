use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use crate::app::config::DataOptions;
use crate::jobs::backup::{RestoreSource, restore};

use super::serve::now;

#[derive(Args, Debug)]
pub(super) struct Options {
    /// The backup: its folder, a tar archive, or - for an archive on the standard input
    backup: PathBuf,
    #[command(flatten)]
    data: DataOptions,
}

/// Brings a backup into an empty folder.
pub(super) async fn run(options: Options) -> anyhow::Result<()> {
    let folder = &options.data.data_dir;
    let report = restore(&RestoreSource::of(&options.backup), folder, now())
        .await
        .with_context(|| format!("restoring into {}", folder.display()))?;
    let manifest = &report.manifest;
    println!(
        "restored    {} from a backup of {}",
        folder.display(),
        manifest.made_at.format("%Y-%m-%d %H:%M:%S UTC")
    );
    println!("files       {} and the database, every hash compared", manifest.files.len());
    if !manifest.secret {
        println!(
            "secret.key  is not in the backup: put your copy into {} before the first start",
            folder.display()
        );
    }
    for lost in &manifest.lost {
        println!("LOST        {} was {} when the backup was made", lost.path, lost.reason);
    }
    println!("Run `tillwatch doctor --data-dir {}`, then `tillwatch serve`.", folder.display());
    Ok(())
}
