use std::fs::File;
use std::io::{BufReader, Read, Seek};

use calamine::{Reader, open_workbook_auto_from_rs};

use super::recognise::{HEAD_LINES_MAX, recognise};
use super::refusal::Refusal;

/// A workbook of a statement is small; larger ones are refused unread.
const WORKBOOK_BYTES_MAX: u64 = 8 << 20;
/// The unpacked parts of a workbook that is opened at all.
const PARTS_BYTES_MAX: u64 = 64 << 20;

/// Why a workbook is not taken: it is a shopper's statement, or simply a workbook.
pub fn refusal(mut file: File) -> Refusal {
    let small = file.metadata().is_ok_and(|about| about.len() <= WORKBOOK_BYTES_MAX);
    if !small || !parts_are_small(&file) || file.rewind().is_err() {
        return Refusal::Workbook;
    }
    let mut bytes = Vec::new();
    if file.read_to_end(&mut bytes).is_err() {
        return Refusal::Workbook;
    }
    let Ok(mut book) = open_workbook_auto_from_rs(std::io::Cursor::new(bytes)) else {
        return Refusal::Workbook;
    };
    let Some(Ok(sheet)) = book.worksheet_range_at(0) else { return Refusal::Workbook };
    let lines: Vec<String> = sheet
        .rows()
        .take(HEAD_LINES_MAX)
        .map(|row| row.iter().map(ToString::to_string).collect::<Vec<_>>().join(","))
        .collect();
    match recognise(&lines) {
        Err(consumer @ Refusal::Consumer(_)) => consumer,
        _ => Refusal::Workbook,
    }
}

/// True when the directory of the archive promises little; old binary workbooks are not compressed.
fn parts_are_small(file: &File) -> bool {
    let Ok(copy) = file.try_clone() else { return false };
    let Ok(mut archive) = zip::ZipArchive::new(BufReader::new(copy)) else { return true };
    let mut total = 0_u64;
    for place in 0..archive.len() {
        let Ok(entry) = archive.by_index_raw(place) else { return false };
        total = total.saturating_add(entry.size());
        // A bomb lies about its size, but not about how much it holds packed.
        if entry.size() / 200 > entry.compressed_size().max(1 << 16) {
            return false;
        }
    }
    total <= PARTS_BYTES_MAX
}
