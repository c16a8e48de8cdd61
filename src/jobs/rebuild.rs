use crate::analytics::{
    Changes, GROUP_COLUMNS, Grains, Snapshot, add_conversion, add_ledger_lines, add_transactions, attempts,
};
use crate::domain::Stream;
use crate::lake::{FileSet, Lake};

/// Every rollup, made anew from the live rows of the lake. What the folds kept up must equal this.
///
/// Reads the lake file by file; of the transactions' groups it holds one attempt of some 150 bytes per row. Takes
/// seconds per million rows: call it on a blocking thread.
///
/// # Errors
/// The first file that cannot be read.
pub fn rebuild_rollups(lake: &Lake, snapshot: &Snapshot, grains: &Grains) -> anyhow::Result<Changes> {
    let mut rollups = Changes::default();
    let mut groups = Vec::new();
    for ((stream, _), files) in &snapshot.files {
        for file in files.iter().filter(|file| file.file_set == FileSet::Current) {
            match stream {
                Stream::Transactions => {
                    add_transactions(&mut rollups, &lake.read(file, None)?, 1, grains)?;
                    groups.append(&mut attempts(&lake.read(file, Some(&GROUP_COLUMNS))?)?);
                }
                Stream::LedgerLines => add_ledger_lines(&mut rollups, &lake.read(file, None)?, 1, grains)?,
                Stream::CheckoutEvents => {}
            }
        }
    }
    add_conversion(&mut rollups, groups, 1, grains);
    rollups.retain(|_, block| {
        // Cells that cancel out are no cells.
        let mut clean = crate::analytics::DayBlock::default();
        clean.apply(block);
        *block = clean;
        !block.is_empty()
    });
    Ok(rollups)
}
