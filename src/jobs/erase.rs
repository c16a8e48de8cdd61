//! Takes a person out of everything that is kept.
//!
//! The rows stay, because the shop's books rest on their amounts; what points to the person goes: the keyed hash of the
//! customer, of the card and of the address. In files, their history, batches of the inbox and lines that were rejected;
//! then every old file that still held it is removed, and the database is written anew, so that no free page does.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use crate::domain::{Instant, Stream, Word};
use crate::intake::Pseudonyms;
use crate::lake::{Lake, LakeFile, decode_batch, encode_frame, person_hash};
use crate::store::{CareAction, CareEntry, Database, FoldCommit, Upkeep};

use super::doctor::steady_snapshot;
use super::figures::remake_figures;
use super::fold::random_token;

/// The log of erasures: beside the data and beside the backups, so that a restored backup forgets them too.
pub const ERASURES: &str = "erasures.jsonl";
/// Most bytes that are read of it.
const ERASURES_BYTES_MAX: u64 = 256 << 20;

/// One person who was erased.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erasure {
    /// A hash of the pseudonym.
    pub person: String,
    /// Why: a word or a reference of the owner's.
    pub basis: String,
    pub asked_at: Instant,
}

/// What was taken out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Erased {
    pub rows: usize,
    pub files: usize,
    pub batches: usize,
}

/// Every pseudonym under which a reference may stand: the shop's own number space, and each provider's.
pub fn pseudonyms_of(pseudonyms: &Pseudonyms, providers: &BTreeSet<Word>, raw: &str) -> BTreeSet<String> {
    let own = std::iter::once("");
    own.chain(providers.iter().map(|provider| provider.as_str()))
        .map(|provider| pseudonyms.of("customer", provider, raw))
        .collect()
}

/// Erases persons, given the hashes of their pseudonyms. The folder must be this process's alone.
///
/// # Errors
/// What stands in the way. What was erased so far stays erased, and the rest is still noted as to be done.
pub async fn erase(
    database: &Database,
    lake: &Lake,
    erasures: &[Erasure],
    now: Instant,
) -> anyhow::Result<Erased> {
    if database.files_are_held(now).await? {
        bail!("a backup runs; erase when it has ended, so that it does not keep what is erased");
    }
    for erasure in erasures {
        database
            .note_erasure(&erasure.person, &erasure.basis, erasure.asked_at)
            .await
            .context("noting an erasure")?;
    }
    let persons: BTreeSet<String> = erasures.iter().map(|erasure| erasure.person.clone()).collect();
    let mut erased = erase_from_files(database, lake, &persons, now).await?;
    let batches = erase_from_inbox(database, &persons).await?;
    (erased.rows, erased.batches) = (erased.rows + batches.rows, batches.batches);
    erase_from_webhooks(database, &persons, now).await?;
    remove_old_files(database, lake).await?;
    database.scrub_free_pages().await.context("writing the database anew")?;
    database.end_erasures(&persons, now).await.context("noting that it is done")?;
    Ok(erased)
}

async fn erase_from_files(
    database: &Database,
    lake: &Lake,
    persons: &BTreeSet<String>,
    now: Instant,
) -> anyhow::Result<Erased> {
    let snapshot = steady_snapshot(database).await?;
    if let Some(one) = snapshot.quarantined.values().flatten().next() {
        bail!(
            "{} cannot be read; run `tillwatch repair` first, so that nothing of the person is left in it",
            one.file.path
        );
    }
    let mut erased = Erased::default();
    let files: Vec<Arc<LakeFile>> = snapshot.files.values().flatten().cloned().collect();
    for file in files {
        let rewritten = rewrite(database, lake, &file, persons, now).await;
        let rows = rewritten.with_context(|| format!("taking a person out of {}", file.path))?;
        erased.rows += rows;
        erased.files += usize::from(rows > 0);
    }
    // Figures of customers are counted from the rows; what the rollups keep of them is made anew, also when this was
    // begun before and the rows are gone already.
    remake_figures(database, lake, now).await.context("making the figures anew")?;
    Ok(erased)
}

/// Writes a file anew without the persons; the number of rows that were theirs.
async fn rewrite(
    database: &Database,
    lake: &Lake,
    file: &Arc<LakeFile>,
    persons: &BTreeSet<String>,
    now: Instant,
) -> anyhow::Result<usize> {
    let is_gone = |person: &str| persons.contains(person);
    let rows = tokio::task::block_in_place(|| lake.read_all_rows(file, None))?;
    let count = rows.rows_of_persons(is_gone)?;
    if count == 0 {
        return Ok(0);
    }
    let (version, ..) = database.data_version().await?;
    let token = random_token()?;
    let id = format!("{:08}-{token}-0c", version + 1);
    let path = Lake::path_for(file.stream, file.day, file.file_set, &id);
    let intent = (id.clone(), file.stream, file.day, file.file_set, path);
    database.intend_files(&token, &[intent], now).await?;
    let without = rows.without_persons(is_gone)?;
    // Row by row in the same places: the list of superseded ones still fits.
    let written =
        tokio::task::block_in_place(|| lake.write(&without, file.stream, file.day, file.file_set, &id))?;
    let mut change = FoldCommit::nothing(token, version, now);
    if !file.superseded.is_empty() {
        change.superseded.push((Arc::new(written.clone()), Arc::clone(&file.superseded)));
    }
    change.added.push(written);
    change.retired.push(Arc::clone(file));
    let detail = format!("{count} rows rewritten");
    let entry = CareEntry { at: now, action: CareAction::Erasure, subject: file.path.clone(), detail };
    let upkeep = Upkeep { change, quarantined: Vec::new(), trusted_again: Vec::new(), entries: vec![entry] };
    database.commit_upkeep(&upkeep).await?;
    Ok(count)
}

async fn erase_from_inbox(database: &Database, persons: &BTreeSet<String>) -> anyhow::Result<Erased> {
    let is_gone = |person: &str| persons.contains(person);
    let mut erased = Erased::default();
    for stream in Stream::ALL {
        for seq in database.batch_numbers(stream).await.context("listing the inbox")? {
            let bytes = database.read_batch(seq).await.context("reading a batch")?;
            // One that cannot be decoded is held; whose rows it has, nobody can say.
            let Ok(rows) = decode_batch(&bytes) else {
                bail!("batch {seq} cannot be read; run `tillwatch doctor`")
            };
            let count = rows.rows_of_persons(is_gone)?;
            if count > 0 {
                let anew = encode_frame(&rows.without_persons(is_gone)?)?;
                database.replace_batch(seq, &anew).await.context("rewriting a batch")?;
                erased.rows += count;
                erased.batches += 1;
            }
        }
    }
    Ok(erased)
}

/// Facts of notices point to their shopper by the same pseudonym; whose the sealed notices are that could not be read,
/// nobody can say, so all of them go.
async fn erase_from_webhooks(
    database: &Database,
    persons: &BTreeSet<String>,
    now: Instant,
) -> anyhow::Result<()> {
    for customer in database.webhook_fact_customers().await.context("listing the facts of notices")? {
        if persons.contains(&person_hash(&customer)) {
            database.erase_from_webhook_facts(&customer).await.context("a fact of a notice")?;
        }
    }
    let all = now + chrono::TimeDelta::days(1);
    database.expire_webhook_notes(Instant::UNIX_EPOCH, all).await.context("notices that were not read")?;
    Ok(())
}

/// Files that were retired, or intended and never made live, are removed at once: no server runs that could still read them.
async fn remove_old_files(database: &Database, lake: &Lake) -> anyhow::Result<()> {
    let all = i64::MAX;
    database.abandon_intents(Instant::MAX_UTC, Instant::UNIX_EPOCH).await?;
    for (id, path) in database.sweepable_files(Instant::MAX_UTC, all).await? {
        lake.remove(&path).with_context(|| format!("removing {path}"))?;
        database.forget_file(&id).await?;
    }
    Ok(())
}

/// Adds to the log of a folder.
///
/// # Errors
/// What the file system says.
pub fn log_erasures(folder: &Path, erasures: &[Erasure]) -> anyhow::Result<()> {
    let path = folder.join(ERASURES);
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&path).with_context(|| format!("opening {}", path.display()))?;
    for erasure in erasures {
        writeln!(file, "{}", serde_json::to_string(erasure)?)?;
    }
    file.sync_all()?;
    Ok(())
}

/// The log of a folder; empty where there is none.
///
/// # Errors
/// When it cannot be read: somebody who was erased would come back.
pub fn read_erasures(path: &Path) -> anyhow::Result<Vec<Erasure>> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    if fs::metadata(path)?.len() > ERASURES_BYTES_MAX {
        bail!("{} is larger than a log of erasures can be", path.display());
    }
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines
        .map(|line| {
            serde_json::from_str(line)
                .with_context(|| format!("{} has a line that cannot be read", path.display()))
        })
        .collect()
}

/// An erasure of everybody who may be meant by one raw reference.
pub fn erasures_of(pseudonyms: &BTreeSet<String>, basis: &str, now: Instant) -> Vec<Erasure> {
    pseudonyms
        .iter()
        .map(|pseudonym| Erasure { person: person_hash(pseudonym), basis: basis.to_owned(), asked_at: now })
        .collect()
}
