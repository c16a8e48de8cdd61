//! What fuzzers call, and the tests over samples and their mutations: any bytes come in, nothing may panic, nothing may be
//! left on the disk, and what comes out must be within the bounds of a row.

use std::path::Path;

use tillwatch::domain::{AMOUNT_MINOR_MAX, LedgerLine, StoreId, instant_from_ms};
use tillwatch::intake::bills::{
    BillContext, HEAD_LINES_MAX, Line, Opening, Refusal, Spool, SpoolError, read_bill, recognise,
};
use tillwatch::intake::mapping::guess::Sample;
use tillwatch::intake::mapping::{Mapped, Mapping, MappingContext, read_mapped};
use tillwatch::intake::{FileHints, Pseudonyms};

/// 2026-11-25T00:00:00Z.
const NOW_MS: i64 = 1_795_564_800_000;
/// Divides a mapping from the file that it is for.
pub const DIVIDER: &[u8] = b"\n\0\n";

/// How a file ended: rows, or the code of its refusal.
pub type Ended = Result<u64, &'static str>;

/// Any file: unpacked, recognised, read to its end, and looked at for a mapping when it is unknown.
pub fn file(bytes: &[u8]) -> Ended {
    with_file(bytes, |path, scratch| {
        let opening = Opening { password: Some("secret"), ..Opening::default() };
        let spool = Spool::open(path, scratch, opening)?;
        let head = spool.head(HEAD_LINES_MAX)?;
        let format = match recognise(&head) {
            Err(Refusal::Unknown) => {
                let sample = Sample::of(&spool)?;
                let roles = sample.guess();
                sample.guess_format(&roles);
                return Err(Refusal::Unknown.into());
            }
            known => known?,
        };
        let (pseudonyms, hints) = (Pseudonyms::new([7; 32]), FileHints::default());
        let now = instant_from_ms(NOW_MS);
        let context =
            BillContext { store: StoreId(1), now, file: "f", pseudonyms: &pseudonyms, hints: &hints };
        let mut rows = 0;
        read_bill(&spool, format, &context, |line, _| {
            match line {
                Line::Row(row) | Line::Witness(row) => check(&row),
                Line::Transaction(row) => {
                    assert!(row.amount.minor() >= 0 && row.transaction_id.chars().count() <= 128);
                }
                Line::Rejected(line) => assert!(line.raw.is_none_or(|raw| raw.chars().count() <= 2_000)),
                Line::NotData(_) => return Ok(()),
            }
            rows += 1;
            Ok(())
        })?;
        Ok(rows)
    })
}

/// A mapping, the divider, and a file that it reads.
pub fn mapped(bytes: &[u8]) -> Ended {
    let at = bytes.windows(DIVIDER.len()).position(|window| window == DIVIDER).ok_or("undivided")?;
    let mapping = std::str::from_utf8(&bytes[..at]).map_err(|_| "undivided")?;
    let mapping = Mapping::parse(mapping).map_err(|refusal| refusal.code())?;
    with_file(&bytes[at + DIVIDER.len()..], |path, scratch| {
        let fits = |head: &[String]| mapping.fits(head);
        let spool = Spool::open(path, scratch, Opening { fits: Some(&fits), ..Opening::default() })?;
        let pseudonyms = Pseudonyms::new([7; 32]);
        let now = instant_from_ms(NOW_MS);
        let context = MappingContext { store: StoreId(1), now, file: "f", pseudonyms: &pseudonyms };
        let mut rows = 0;
        read_mapped(&spool, &mapping, &context, |mapped, _| {
            rows += 1;
            if let Mapped::Line(row) = mapped {
                check(&row);
            }
            Ok(())
        })?;
        Ok(rows)
    })
}

/// A mapping alone.
pub fn mapping(bytes: &[u8]) -> Ended {
    let text = std::str::from_utf8(bytes).map_err(|_| "no text")?;
    Mapping::parse(text).map(|_| 0).map_err(|refusal| refusal.code())
}

fn check(row: &LedgerLine) {
    assert!((0..=AMOUNT_MINOR_MAX).contains(&row.gross), "{row:?}");
    assert!(!row.line_id.is_empty() && row.line_id.chars().count() <= 160, "{row:?}");
    assert!(row.updated_at.is_some(), "every line supplies a version: {row:?}");
}

fn with_file(bytes: &[u8], read: impl FnOnce(&Path, &Path) -> Result<u64, SpoolError>) -> Ended {
    let folder = tempfile::tempdir().expect("a folder for scratch");
    let (path, scratch) = (folder.path().join("file"), folder.path().join("scratch"));
    std::fs::create_dir(&scratch).expect("a folder for scratch");
    std::fs::write(&path, bytes).expect("room for the file");
    let ended = read(&path, &scratch);
    let left: Vec<_> = std::fs::read_dir(&scratch).expect("a folder for scratch").collect();
    assert!(left.is_empty(), "no path from an archive touches the disk: {left:?}");
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 2, "nor any beside it");
    match ended {
        Ok(rows) => Ok(rows),
        Err(SpoolError::Refused(refusal)) => {
            assert!(!refusal.sentence_en().is_empty() && !refusal.sentence_zh().is_empty());
            Err(refusal.code())
        }
        Err(SpoolError::Io(error)) => panic!("not the file's fault, and yet: {error}"),
    }
}
