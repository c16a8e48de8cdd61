use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::Args;
use indicatif::ProgressBar;

use crate::app::config::DataOptions;
use crate::domain::SystemClock;
use crate::jobs::backup::{BackupManifest, BackupSource, TarSink, back_up, back_up_into, drill};
use crate::lake::Lake;
use crate::store::Database;

use super::doctor;
use super::serve::now;

#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
pub(super) struct Where {
    /// A folder of backups: each gets a folder of its own there, named after the time
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
    /// A command that takes a tar archive on its standard input, e.g. 'ssh host "cat > till.tar"'
    #[arg(long, value_name = "COMMAND")]
    to_command: Option<String>,
    /// Write a tar archive to the standard output
    #[arg(long)]
    to_stdout: bool,
    /// Try it out: back up, restore into a temporary folder, examine that, and throw both away
    #[arg(long)]
    drill: bool,
}

/// Makes a backup, beside a running server too.
///
/// It holds everything but secret.key: without that file nobody can find out from the backup which customer is which,
/// and nobody can restore the API keys. Keep a copy of secret.key apart from the backups. With --with-secret the backup
/// is whole by itself and as secret as the data.
#[derive(Args, Debug)]
pub(super) struct Options {
    #[command(flatten)]
    data: DataOptions,
    #[command(flatten)]
    place: Where,
    /// Keep so many backups in the folder and remove older ones
    #[arg(long, value_name = "N", requires = "to")]
    keep: Option<usize>,
    /// Put secret.key into the backup too
    #[arg(long)]
    with_secret: bool,
}

pub(super) async fn run(options: Options) -> anyhow::Result<()> {
    let folder = &options.data.data_dir;
    let address = options.data.database()?;
    match address.file() {
        Some(file) if !file.exists() => bail!("there is no database in {}", folder.display()),
        Some(_) => {}
        // In this order: whatever the dump names stays in the lake for a day.
        None => bail!(
            "the data are in PostgreSQL, whose own client makes the dump. First: pg_dump --format=custom --no-owner \
             --file=till.dump {address}   Then, within a day: cp -a {}/lake TARGET/   To restore: pg_restore into a new \
             database, the lake into a new data folder, then `tillwatch doctor`",
            folder.display()
        ),
    }
    let database = Database::open(address).await.context("opening the database")?;
    let source = BackupSource {
        folder: folder.clone(),
        lake: Lake::open(&folder.join("lake")).context("opening the lake")?,
        database: database.clone(),
        clock: Arc::new(SystemClock),
        with_secret: options.with_secret,
    };
    let outcome = make(&options, &source).await;
    database.close().await;
    outcome
}

async fn make(options: &Options, source: &BackupSource) -> anyhow::Result<()> {
    let place = &options.place;
    if place.drill {
        return rehearse(source).await;
    }
    if let Some(folder) = &place.to {
        let (target, manifest) = back_up_into(source, folder, options.keep).await?;
        println!("backup      {}", target.display());
        return tell(&manifest, &mut std::io::stdout());
    }
    if let Some(command) = &place.to_command {
        let (mut child, stdin) = start(command)?;
        let made = back_up(source, Box::new(TarSink(stdin))).await;
        let ended = child.wait().context("waiting for the command")?;
        let manifest = made?;
        if !ended.success() {
            bail!("the command ended with {ended}: the backup is not to be trusted");
        }
        return tell(&manifest, &mut std::io::stdout());
    }
    // What is told goes to stderr: the standard output is the archive.
    let manifest = back_up(source, Box::new(TarSink(std::io::stdout()))).await?;
    tell(&manifest, &mut std::io::stderr())
}

fn start(command: &str) -> anyhow::Result<(Child, ChildStdin)> {
    let mut child = Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::piped())
        .spawn()
        .context("starting the command")?;
    let stdin = child.stdin.take().context("the command has no standard input")?;
    Ok((child, stdin))
}

fn tell(manifest: &BackupManifest, out: &mut dyn Write) -> anyhow::Result<()> {
    let bytes: u64 = manifest.files.iter().map(|file| file.size_bytes).sum();
    writeln!(
        out,
        "database    {} bytes, data version {}",
        manifest.database.size_bytes, manifest.data_version
    )?;
    writeln!(out, "files       {}, {bytes} bytes, every hash compared", manifest.files.len())?;
    if !manifest.secret {
        writeln!(out, "secret.key  not in it: keep a copy elsewhere; without it API keys must be made anew")?;
    }
    for lost in &manifest.lost {
        writeln!(out, "LOST        {} is {}", lost.path, lost.reason)?;
    }
    if !manifest.lost.is_empty() {
        bail!("{} files could not be backed up; the rest was. Run `tillwatch doctor`", manifest.lost.len());
    }
    Ok(())
}

async fn rehearse(source: &BackupSource) -> anyhow::Result<()> {
    let bar = ProgressBar::new(1);
    let report = drill(source, now(), doctor::hears(&bar)).await?;
    bar.finish_and_clear();
    tell(&report.manifest, &mut std::io::stdout())?;
    println!("backup      took {:.1} s", report.backup.as_secs_f64());
    println!(
        "recovery    took {:.1} s: restored, every hash compared, figures loaded",
        report.recovery.as_secs_f64()
    );
    for total in &report.totals {
        println!(
            "total       store {} in {}: {} payments of {} minor units, {} refunds of {}",
            total.store, total.currency, total.payments, total.paid, total.refunds, total.refunded
        );
    }
    doctor::print(&report.checkup);
    if report.totals != report.manifest.totals {
        bail!("the restored totals are not those that were backed up");
    }
    if !report.passed() {
        bail!("the drill failed: see above");
    }
    println!("The drill passed: what was restored is what was backed up.");
    Ok(())
}
