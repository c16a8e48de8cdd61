//! The fuzz targets over every sample at hand, over mutations of them, and over bombs.

#[path = "../fuzz/targets.rs"]
mod targets;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use targets::DIVIDER;

/// How long mutations are made.
const MUTATING: Duration = Duration::from_secs(6);
/// Where the mutations begin; the same every time.
const SEED: u64 = 0x7469_6c6c_7761_7463;
/// Bytes of a sample that is mutated.
const MUTATED_BYTES_MAX: usize = 64 << 10;
/// Memory that reading a bomb may take, kilobytes.
const BOMB_KB_MAX: u64 = 400 << 10;

fn files_under(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut found = Vec::new();
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() { found.extend(files_under(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// Fixtures, shared samples where they are at hand, and mappings with files that they read.
fn corpus() -> Vec<(String, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shared = root.join("../shared/samples");
    if !shared.exists() {
        println!("skipped: ../shared is absent");
    }
    let files = [root.join("tests/fixtures"), shared]
        .iter()
        .flat_map(|folder| files_under(folder))
        .collect::<Vec<_>>();
    files
        .into_iter()
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(path).unwrap()))
        .filter(|(_, bytes)| bytes.len() < 4 << 20)
        .collect()
}

fn mapped_corpus() -> Vec<Vec<u8>> {
    let with = |mapping: &str, file: &str| [mapping.as_bytes(), DIVIDER, file.as_bytes()].concat();
    let retail = include_str!("../../examples/online_retail.toml");
    let chain = include_str!("../../examples/mappings/oklink_token_transfers.toml");
    vec![
        with(
            retail,
            "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n1,a,A,2,2011-01-17 10:37:00,1.5,7.0,France\nC2,b,B,-1,2011-01-17 10:37:00,2,7.0,France\n",
        ),
        with(
            chain,
            "x\n交易哈希,UTC时间,发送方,接收方,数量,代币地址\nt,2025/11/09 05:46:11,a,YOUR-ADDRESS,353.7515,0xdac17f958d2ee523a2206206994597c13d831ec7\n合计,,,,1,\n",
        ),
    ]
}

/// A small generator of numbers, seeded.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 1).unwrap_or(0) % most.max(1)
    }

    /// Some bytes changed, a piece gone, doubled or taken from elsewhere.
    fn mutate(&mut self, bytes: &[u8], other: &[u8]) -> Vec<u8> {
        const TELLING: [&[u8]; 14] = [
            b"\"",
            b",",
            b"\n",
            b"\0",
            b"<",
            b">",
            b"&",
            b"{",
            b"}",
            b"-",
            b"99999999999999999999999",
            b"\xff\xfe",
            b"E+27",
            b"`",
        ];
        let mut made = bytes.to_vec();
        for _ in 0..=self.below(4) {
            let (at, length) = (self.below(made.len() + 1), self.below(40));
            let end = (at + length).min(made.len());
            match self.below(6) {
                0 if at < made.len() => made[at] = u8::try_from(self.below(256)).unwrap_or(0),
                1 => drop(made.drain(at..end)),
                2 => {
                    let piece = made[at..end].to_vec();
                    made.splice(at..at, piece);
                }
                3 => {
                    let from = self.below(other.len() + 1);
                    let until = (from + length).min(other.len());
                    made.splice(at..end, other[from..until].iter().copied());
                }
                4 => made.truncate(at),
                _ => {
                    let piece = TELLING[self.below(TELLING.len())];
                    made.splice(at..at, piece.iter().copied());
                }
            }
        }
        made
    }
}

#[test]
fn every_sample_is_read_or_refused_with_a_sentence() {
    let mut read = 0;
    for (name, bytes) in corpus() {
        let ended = targets::file(&bytes);
        read += usize::from(ended.is_ok());
        assert!(ended.is_ok() || ended.is_err_and(|code| !code.is_empty()), "{name}");
        // Every beginning of a file is a file of its own.
        for part in 1..8 {
            let _ = targets::file(&bytes[..bytes.len() * part / 8]);
        }
    }
    assert!(read >= 8, "{read} files of the corpus are read");
    for bytes in mapped_corpus() {
        assert!(targets::mapped(&bytes).is_ok_and(|rows| rows > 0));
    }
}

#[test]
fn mutations_never_panic() {
    let corpus: Vec<_> = corpus().into_iter().filter(|(_, bytes)| bytes.len() <= MUTATED_BYTES_MAX).collect();
    let mappings = mapped_corpus();
    let (mut dice, begun, mut runs) = (Dice(SEED), Instant::now(), 0_u64);
    while begun.elapsed() < MUTATING {
        let bytes = &corpus[dice.below(corpus.len())].1;
        let other = &corpus[dice.below(corpus.len())].1;
        let _ = targets::file(&dice.mutate(bytes, other));
        let mapping = &mappings[dice.below(mappings.len())];
        let mutated = dice.mutate(mapping, other);
        let _ = targets::mapped(&mutated);
        let _ = targets::mapping(&mutated);
        runs += 3;
    }
    println!("{runs} mutated inputs in {} s", MUTATING.as_secs());
    assert!(runs > 100);
}

/// Memory of this process, kilobytes, as its kernel tells it.
fn memory_kb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

fn zip_of(name: &str, bytes: &[u8]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
    zip.write_all(bytes).unwrap();
    zip.finish().unwrap().into_inner()
}

#[test]
fn bombs_are_refused_by_named_limits_and_take_little_memory() {
    let before = memory_kb();
    let much = vec![b'0'; 48 << 20];
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(&much).unwrap();
    assert_eq!(targets::file(&gzip.finish().unwrap()), Err("compression_bomb"));
    let deep = format!("<Document><BkToCstmrStmt><Stmt>{}", "<a>".repeat(1 << 20));
    assert_eq!(targets::file(deep.as_bytes()), Err("xml_depth"));
    let laughs = "<!DOCTYPE a [<!ENTITY b \"&c;&c;\">]><Document><BkToCstmrStmt/></Document>";
    assert_eq!(targets::file(laughs.as_bytes()), Err("xml_doctype"));
    let text = format!("<Document><BkToCstmrStmt><Stmt><Id>{}", "a".repeat(32 << 20));
    assert_eq!(targets::file(text.as_bytes()), Err("xml_piece"));
    let json = format!(
        "{{\"data\":[{{\"token_info\":{{}},\"block_timestamp\":1,\"from\":\"{}",
        "a".repeat(32 << 20)
    );
    assert_eq!(targets::file(json.as_bytes()), Err("json_broken"));
    let nested = format!("{{\"data\":[{{\"block_timestamp\":1,\"token_info\":{}", "[".repeat(1 << 20));
    assert_eq!(targets::file(nested.as_bytes()), Err("json_broken"));
    let quote = format!("account_type,x\n\"{}", "x,".repeat(16 << 20));
    assert!(targets::file(quote.as_bytes()).is_err());
    assert_eq!(targets::file(&zip_of("../../../../tmp/evil.csv", b"a,b\n1,2\n")), Err("unknown_format"));
    match (before, memory_kb()) {
        (Some(before), Some(after)) => {
            assert!(after.saturating_sub(before) < BOMB_KB_MAX, "{before} kB before, {after} kB after");
        }
        _ => println!("skipped: this system does not tell a process its memory"),
    }
}
