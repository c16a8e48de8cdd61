use std::fs::File;
use std::io::{self, Cursor, Read, Seek};

use calamine::{Reader, Xlsx};

use super::recognise::{HEAD_LINES_MAX, recognise};
use super::refusal::Refusal;

/// A workbook of a statement is small; larger ones are refused unread.
const WORKBOOK_BYTES_MAX: u64 = 8 << 20;
/// Its parts, unpacked, all together.
const PARTS_BYTES_MAX: u64 = 64 << 20;
const PARTS_MAX: usize = 1_000;
/// Cells that are looked at: the head of a statement has some tens.
const HEAD_CELLS_MAX: usize = 4_096;

/// Why a workbook is not taken: it is a shopper's statement, or simply a workbook.
pub fn refusal(mut file: File) -> Refusal {
    if file.rewind().is_err() {
        return Refusal::Workbook;
    }
    let mut bytes = Vec::new();
    let read = file.take(WORKBOOK_BYTES_MAX + 1).read_to_end(&mut bytes);
    let is_small = read.is_ok_and(|read| u64::try_from(read).is_ok_and(|read| read <= WORKBOOK_BYTES_MAX));
    if !is_small || !parts_are_small(&bytes) {
        return Refusal::Workbook;
    }
    match head(&bytes).map(|lines| recognise(&lines)) {
        Some(Err(consumer @ Refusal::Consumer(_))) => consumer,
        _ => Refusal::Workbook,
    }
}

/// The first lines of the first sheet, cell by cell: a sheet may claim more cells than memory holds.
fn head(bytes: &[u8]) -> Option<Vec<String>> {
    let mut book = Xlsx::new(Cursor::new(bytes)).ok()?;
    let sheet = book.sheet_names().first()?.clone();
    let mut cells = book.worksheet_cells_reader(&sheet).ok()?;
    let mut lines: Vec<Vec<String>> = Vec::new();
    for _ in 0..HEAD_CELLS_MAX {
        let Some(cell) = cells.next_cell().ok()? else { break };
        let row = usize::try_from(cell.get_position().0).ok()?;
        if row >= HEAD_LINES_MAX {
            break;
        }
        if lines.len() <= row {
            lines.resize_with(row + 1, Vec::new);
        }
        lines.get_mut(row)?.push(calamine::Data::from(cell.get_value().clone()).to_string());
    }
    Some(lines.iter().map(|cells| cells.join(",")).collect())
}

/// True when the parts are few and small. What an archive says of their size is not believed: they are unpacked, and
/// thrown away.
fn parts_are_small(bytes: &[u8]) -> bool {
    let Ok(mut archive) = zip::ZipArchive::new(Cursor::new(bytes)) else { return false };
    if archive.len() > PARTS_MAX {
        return false;
    }
    let mut left = PARTS_BYTES_MAX;
    for place in 0..archive.len() {
        let Ok(part) = archive.by_index(place) else { return false };
        match io::copy(&mut part.take(left + 1), &mut io::sink()) {
            Ok(read) if read <= left => left -= read,
            _ => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// A workbook of one sheet with these cells, as XML.
    fn workbook(cells: &str) -> File {
        let mut zip = zip::ZipWriter::new(tempfile::tempfile().unwrap());
        let main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
        let relations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
        let package = "http://schemas.openxmlformats.org/package/2006/relationships";
        let parts = [
            (
                "_rels/.rels",
                format!(
                    "<Relationships xmlns=\"{package}\"><Relationship Id=\"r1\" Type=\"{relations}/officeDocument\" Target=\"xl/workbook.xml\"/></Relationships>"
                ),
            ),
            (
                "xl/workbook.xml",
                format!(
                    "<workbook xmlns=\"{main}\" xmlns:r=\"{relations}\"><sheets><sheet name=\"s\" sheetId=\"1\" r:id=\"r1\"/></sheets></workbook>"
                ),
            ),
            (
                "xl/_rels/workbook.xml.rels",
                format!(
                    "<Relationships xmlns=\"{package}\"><Relationship Id=\"r1\" Type=\"{relations}/worksheet\" Target=\"worksheets/sheet1.xml\"/></Relationships>"
                ),
            ),
            (
                "xl/worksheets/sheet1.xml",
                format!("<worksheet xmlns=\"{main}\"><sheetData>{cells}</sheetData></worksheet>"),
            ),
        ];
        for (name, text) in parts {
            zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
            zip.write_all(text.as_bytes()).unwrap();
        }
        zip.finish().unwrap()
    }

    fn cell(place: &str, text: &str) -> String {
        format!("<c r=\"{place}\" t=\"str\"><v>{text}</v></c>")
    }

    fn bytes(mut file: File) -> Vec<u8> {
        let mut bytes = Vec::new();
        file.rewind().unwrap();
        file.read_to_end(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn the_head_is_read_whatever_the_sheet_claims_to_hold() {
        let rows = format!("<row r=\"1\">{}{}</row>", cell("A1", "one"), cell("B1", "two"));
        let far = format!("{rows}<row r=\"1048576\">{}</row>", cell("XFD1048576", "far"));
        for cells in [rows, far] {
            let book = bytes(workbook(&cells));
            assert!(parts_are_small(&book));
            assert_eq!(head(&book), Some(vec!["one,two".to_owned()]));
        }
        assert!(matches!(refusal(workbook("")), Refusal::Workbook));
    }

    #[test]
    fn parts_that_unpack_to_too_much_are_not_read() {
        let much = usize::try_from(PARTS_BYTES_MAX).unwrap() + 1;
        let bomb = bytes(workbook(&" ".repeat(much)));
        assert!(bomb.len() < 1 << 20 && !parts_are_small(&bomb));
        assert!(!parts_are_small(b"no archive"));
    }
}
