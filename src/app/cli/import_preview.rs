//! What a file is and what would come of it, as text: `tillwatch import --dry-run`.

use std::sync::Arc;

use anyhow::{Context, bail};

use crate::app::Running;
use crate::intake::diagnosis::{Diagnosis, Examiner, Warning};
use crate::intake::import::{ImportRequest, hash_of, known_import};
use crate::store::ImportState;

use super::import::totals;

/// Examines a file against the data folder at hand and prints what was found.
pub(super) async fn here(running: &Running, request: ImportRequest) -> anyhow::Result<()> {
    let state = &running.state;
    let examiner = Examiner {
        database: state.database.clone(),
        lake: Arc::clone(&state.lake),
        snapshot: state.snapshots.current(),
        pseudonyms: Arc::clone(&state.pseudonyms),
    };
    let (sha256, _) = hash_of(&request.path).context("reading the file")?;
    let known = known_import(&state.database, request.store, &sha256, request.mapping.as_deref()).await?;
    let already = known.filter(|known| known.state == ImportState::Done).map(|known| known.id);
    let name = request.file_name.clone();
    let found = examiner.examine(request, Arc::default()).await.context("examining the file")?;
    print(&name, already, &found)
}

/// Prints what was found; a file that would be refused is an error.
pub(super) fn print(file_name: &str, already: Option<i64>, found: &Diagnosis) -> anyhow::Result<()> {
    println!("file        {file_name}");
    if let Some(id) = already {
        println!("known       this very file was already imported as #{id}; again it would change nothing");
    }
    if !found.provider.is_empty() || found.mapped {
        println!("recognised  {} {} {}", found.provider, found.variant, found.encoding);
        println!(
            "times       {}",
            if found.zone.is_empty() { "as printed with each row" } else { &found.zone }
        );
    }
    if let Some((first, last)) = found.days {
        println!("days        {first} to {last}");
    }
    let lines = found.lines;
    println!(
        "lines       {} read = {} would be taken in + {} rejected + {} not data",
        lines.read, lines.accepted, lines.rejected, lines.not_data
    );
    print_sums(found);
    for one in &found.rejected {
        println!("rejected    {} lines, first {}: {} {}", one.count, one.line, one.field, one.sentence);
    }
    if !found.columns_unread.is_empty() {
        println!("not kept    the columns {}", found.columns_unread.join(", "));
    }
    for warning in &found.warnings {
        println!("warning     {}", sentence(warning));
    }
    match &found.refusal {
        Some(refused) => bail!("the file would be refused: {}", refused.sentence),
        None => Ok(()),
    }
}

fn print_sums(found: &Diagnosis) {
    let minor = |sum: Option<i128>| sum.map_or_else(|| "–".to_owned(), |sum| sum.to_string());
    for sum in &found.sums {
        println!(
            "sum         {} {}: {} records, {} gross, {} fee, {} net, in minor units",
            sum.kind,
            sum.currency.code(),
            sum.count,
            sum.gross,
            minor(sum.fee),
            minor(sum.net)
        );
    }
    for total in &found.summary {
        let computed = total.computed.as_deref().unwrap_or("–");
        let verdict = if total.matches { "match" } else { "differ" };
        println!("summary     {}: {} printed, {computed} by the rows: {verdict}", total.name, total.printed);
    }
    if !found.totals.is_empty() {
        println!("totals      {}", totals(&found.totals));
    }
    if let Some(known) = found.known {
        println!("here        {} records exactly so, {} with other content", known.same, known.differing);
    }
}

fn sentence(warning: &Warning) -> String {
    match warning {
        Warning::NoTrades => "the bill has no rows: no trades that day".to_owned(),
        Warning::SecondsMissing { lines } => {
            format!("{lines} lines have times without seconds: Excel has saved this file; download it again")
        }
        Warning::InTheFuture { lines } => {
            format!("{lines} lines lie more than 24 hours in the future: is the zone right?")
        }
        Warning::ZoneShift { minutes, rows } => {
            format!(
                "{rows} rows lie {minutes} minutes away from known payments of the same number: is the zone right?"
            )
        }
        Warning::AccountElsewhere { account, .. } => {
            format!("bills of the merchant id {account} were imported into another store so far")
        }
        Warning::MostlyRejected => "more lines are rejected than taken in".to_owned(),
    }
}
