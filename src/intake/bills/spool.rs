//! A file of any packing and encoding becomes plain UTF-8 text in a nameless temporary file, in bounded steps.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

use encoding_rs::{DecoderResult, Encoding, GB18030, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use super::archive;
use super::recognise::HEAD_LINES_MAX;
use super::refusal::Refusal;
use super::workbook;

/// Largest file that is taken, as stored and as unpacked.
pub const FILE_BYTES_MAX: u64 = 4 << 30;
/// Longest line; the longest of a real bill is below 2 KiB.
pub const LINE_BYTES_MAX: usize = 256 << 10;
/// Unpacked bytes per packed byte. Bills shrink to a tenth, seldom to a fiftieth.
pub const RATIO_MAX: u64 = 200;
/// Below this a high ratio does no harm.
pub(super) const RATIO_FREE_BYTES: u64 = 8 << 20;
const STEP_BYTES: usize = 64 << 10;
/// Bytes that are looked at to find the encoding.
const HEAD_BYTES: usize = 256 << 10;
/// Characters beyond ASCII that must have been good UTF-8 before a bad byte counts as damage, not as another encoding.
const UTF8_CHARS_SURE: u64 = 16;

/// Why a file could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// The file is not taken.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The disk did not do what was asked.
    #[error("reading the file: {0}")]
    Io(#[from] io::Error),
}

/// Judges the first lines of a text.
pub type Fits<'a> = dyn Fn(&[String]) -> bool + 'a;

/// What is known about a file before it is opened.
#[derive(Clone, Copy, Default)]
pub struct Opening<'a> {
    /// An encoding that must be met.
    pub encoding: Option<&'static Encoding>,
    /// Of an archive; tried only where one is needed.
    pub password: Option<&'a str>,
    /// Whether the first lines of a text are what a mapping is for: which of several entries or sheets is meant.
    pub fits: Option<&'a Fits<'a>>,
}

impl Opening<'_> {
    /// True when a mapping is for a text that begins so.
    pub(super) fn fits(&self, head: &[String]) -> bool {
        self.fits.is_some_and(|fits| fits(head))
    }
}

/// The text of a file.
#[derive(Debug)]
pub struct Spool {
    text: File,
    /// `UTF-8`, `GB18030` … as it was found.
    pub encoding: &'static str,
    /// Length of the text in UTF-8.
    pub bytes: u64,
}

impl Spool {
    /// Unpacks and decodes the file at `path`; the text lives in `scratch` until it is dropped, without a name.
    ///
    /// `expected` is an encoding that must be met; without it UTF-8 is tried, then GB18030.
    ///
    /// # Errors
    /// [`SpoolError::Refused`] says why in a sentence.
    pub fn of(path: &Path, scratch: &Path, expected: Option<&'static Encoding>) -> Result<Self, SpoolError> {
        Self::open(path, scratch, Opening { encoding: expected, ..Opening::default() })
    }

    /// The same, with all that is known about the file. A workbook becomes the text of its one sheet.
    ///
    /// # Errors
    /// [`SpoolError::Refused`] says why in a sentence.
    pub fn open(path: &Path, scratch: &Path, opening: Opening<'_>) -> Result<Self, SpoolError> {
        let expected = opening.encoding;
        let about = std::fs::metadata(path)?;
        if about.is_dir() {
            return Err(Refusal::Directory.into());
        }
        if about.len() == 0 {
            return Err(Refusal::Empty.into());
        }
        if about.len() > FILE_BYTES_MAX {
            return Err(Refusal::TooLarge(FILE_BYTES_MAX).into());
        }
        let mut file = File::open(path)?;
        let mut magic = [0_u8; 8];
        let read = file.read(&mut magic)?;
        file.rewind()?;
        let magic = &magic[..read];
        if magic.starts_with(b"PK\x03\x04") || magic.starts_with(b"PK\x05\x06") {
            return archive::spool(file, about.len(), scratch, opening);
        }
        if magic.starts_with(&[0xd0, 0xcf, 0x11, 0xe0]) {
            return Err(workbook::old_or_locked(file)?.into());
        }
        if magic.starts_with(&[0x1f, 0x8b]) {
            let unpacked = flate2::read::MultiGzDecoder::new(BufReader::new(file));
            let raw = unpack(unpacked, about.len(), scratch)?;
            return Self::decode(raw, scratch, expected);
        }
        Self::decode(file, scratch, expected)
    }

    /// The first lines of a file, for recognising it; of a plain text no more is read than they take.
    ///
    /// # Errors
    /// [`SpoolError::Refused`] says why in a sentence.
    pub fn head_of(path: &Path, scratch: &Path, opening: Opening<'_>) -> Result<Vec<String>, SpoolError> {
        let mut file = File::open(path)?;
        let mut head = vec![0_u8; HEAD_BYTES];
        let read = read_full(&mut file, &mut head)?;
        head.truncate(read);
        let is_packed =
            [&b"PK"[..], &[0x1f, 0x8b], &[0xd0, 0xcf]].iter().any(|magic| head.starts_with(magic));
        if is_packed || read < HEAD_BYTES {
            return Ok(Self::open(path, scratch, opening)?.head(HEAD_LINES_MAX)?);
        }
        // Cut at a line's end, so that no character is halved.
        head.truncate(head.iter().rposition(|byte| *byte == b'\n').map_or(read, |end| end + 1));
        let mut raw = tempfile::tempfile_in(scratch)?;
        raw.write_all(&head)?;
        Ok(Self::decode(raw, scratch, opening.encoding)?.head(HEAD_LINES_MAX)?)
    }

    /// Text that is UTF-8 by its making.
    pub(super) const fn of_text(text: File, encoding: &'static str, bytes: u64) -> Self {
        Self { text, encoding, bytes }
    }

    /// Decodes plain bytes.
    pub(super) fn decode(
        mut raw: File,
        scratch: &Path,
        expected: Option<&'static Encoding>,
    ) -> Result<Self, SpoolError> {
        raw.rewind()?;
        let mut head = vec![0_u8; HEAD_BYTES];
        let read = read_full(&mut raw, &mut head)?;
        if read == 0 {
            return Err(Refusal::Empty.into());
        }
        let head = &head[..read];
        let marked = Encoding::for_bom(head).map(|(encoding, _)| encoding);
        if let Some(encoding) = expected.or(marked).or_else(|| declared(head)) {
            return match transcode(&mut raw, encoding, scratch)? {
                Ok((text, bytes)) => Ok(Self { text, encoding: encoding.name(), bytes }),
                Err(bad) => Err(bad.refusal(encoding).into()),
            };
        }
        let bad = match transcode(&mut raw, UTF_8, scratch)? {
            Ok((text, bytes)) => return Ok(Self { text, encoding: UTF_8.name(), bytes }),
            Err(bad) => bad,
        };
        if bad.beyond_ascii >= UTF8_CHARS_SURE {
            return Err(bad.refusal(UTF_8).into());
        }
        if is_western_statement(head) {
            return match transcode(&mut raw, WINDOWS_1252, scratch)? {
                Ok((text, bytes)) => Ok(Self { text, encoding: WINDOWS_1252.name(), bytes }),
                Err(bad) => Err(bad.refusal(WINDOWS_1252).into()),
            };
        }
        match transcode(&mut raw, GB18030, scratch)? {
            Ok((text, bytes)) => Ok(Self { text, encoding: "GB18030", bytes }),
            Err(bad) => Err(Refusal::Encoding { expected: "UTF-8 / GB18030", line: bad.line }.into()),
        }
    }

    /// Reads the text from its beginning, once more each time.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn reader(&self) -> io::Result<BufReader<File>> {
        let mut text = self.text.try_clone()?;
        text.seek(SeekFrom::Start(0))?;
        Ok(BufReader::with_capacity(STEP_BYTES, text))
    }

    /// Calls `each` with number, text and end position of every line, until it says stop.
    ///
    /// # Errors
    /// [`Refusal::LineTooLong`], and what `each` refuses.
    pub fn lines(
        &self,
        mut each: impl FnMut(u64, &str, u64) -> Result<(), Refusal>,
    ) -> Result<(), SpoolError> {
        let mut reader = self.reader()?;
        let (mut line, mut number, mut position) = (Vec::new(), 0, 0_u64);
        loop {
            line.clear();
            let limit = u64::try_from(LINE_BYTES_MAX).unwrap_or(u64::MAX);
            let read = (&mut reader).take(limit).read_until(b'\n', &mut line)?;
            if read == 0 {
                return Ok(());
            }
            number += 1;
            position += u64::try_from(read).unwrap_or(0);
            if read == LINE_BYTES_MAX && line.last() != Some(&b'\n') {
                return Err(Refusal::LineTooLong(number).into());
            }
            let text = String::from_utf8_lossy(&line);
            each(number, text.trim_end_matches(['\n', '\r']), position)?;
        }
    }

    /// The first lines, for recognising the format.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn head(&self, lines_max: usize) -> io::Result<Vec<String>> {
        let limit = u64::try_from(LINE_BYTES_MAX).unwrap_or(u64::MAX);
        let mut text = Vec::new();
        self.reader()?.take(limit).read_to_end(&mut text)?;
        let text = String::from_utf8_lossy(&text);
        Ok(text.lines().take(lines_max).map(str::to_owned).collect())
    }
}

/// Writes what a decompressor gives to a nameless file, watching size and ratio.
pub(super) fn unpack(mut packed: impl Read, packed_bytes: u64, scratch: &Path) -> Result<File, SpoolError> {
    let mut out = BufWriter::new(tempfile::tempfile_in(scratch)?);
    let (mut step, mut total) = (vec![0_u8; STEP_BYTES], 0_u64);
    loop {
        let read = packed.read(&mut step).map_err(unpacking)?;
        if read == 0 {
            break;
        }
        total += u64::try_from(read).unwrap_or(0);
        if total > FILE_BYTES_MAX {
            return Err(Refusal::TooLarge(FILE_BYTES_MAX).into());
        }
        if total > RATIO_FREE_BYTES && total / RATIO_MAX > packed_bytes {
            return Err(Refusal::Bomb.into());
        }
        out.write_all(&step[..read])?;
    }
    out.into_inner().map_err(|error| SpoolError::Io(error.into_error()))
}

/// What an error of a decompressor means.
pub(super) fn unpacking(error: io::Error) -> SpoolError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => Refusal::CutOff.into(),
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::Other => {
            Refusal::ArchiveDamaged.into()
        }
        _ => error.into(),
    }
}

/// Where decoding failed.
struct BadBytes {
    line: u64,
    /// Good characters beyond ASCII before.
    beyond_ascii: u64,
    at_the_end: bool,
}

impl BadBytes {
    fn refusal(&self, encoding: &'static Encoding) -> Refusal {
        if self.at_the_end {
            return Refusal::CutOff;
        }
        Refusal::Encoding { expected: encoding.name(), line: self.line }
    }
}

fn transcode(
    raw: &mut File,
    encoding: &'static Encoding,
    scratch: &Path,
) -> Result<Result<(File, u64), BadBytes>, SpoolError> {
    raw.rewind()?;
    let mut out = BufWriter::new(tempfile::tempfile_in(scratch)?);
    let mut decoder = encoding.new_decoder_with_bom_removal();
    let mut step = vec![0_u8; STEP_BYTES];
    let mut text = vec![0_u8; STEP_BYTES * 4];
    let (mut total, mut lines, mut beyond_ascii) = (0_u64, 1_u64, 0_u64);
    loop {
        let read = raw.read(&mut step)?;
        let last = read == 0;
        let mut from = 0;
        loop {
            let (result, taken, written) =
                decoder.decode_to_utf8_without_replacement(&step[from..read], &mut text, last);
            from += taken;
            let fresh = &text[..written];
            lines += count(fresh, |byte| byte == b'\n');
            beyond_ascii += count(fresh, |byte| byte >= 0xc0);
            total += u64::try_from(written).unwrap_or(0);
            out.write_all(fresh)?;
            match result {
                DecoderResult::InputEmpty => break,
                DecoderResult::OutputFull => {}
                DecoderResult::Malformed(..) => {
                    return Ok(Err(BadBytes { line: lines, beyond_ascii, at_the_end: last }));
                }
            }
        }
        if total > FILE_BYTES_MAX {
            return Err(Refusal::TooLarge(FILE_BYTES_MAX).into());
        }
        if last {
            break;
        }
    }
    let file = out.into_inner().map_err(|error| SpoolError::Io(error.into_error()))?;
    Ok(Ok((file, total)))
}

/// The encoding that an XML declaration names.
fn declared(head: &[u8]) -> Option<&'static Encoding> {
    let text = head.strip_prefix(b"<?xml")?;
    let end = text.windows(2).position(|pair| pair == b"?>")?;
    let text = std::str::from_utf8(text.get(..end)?).ok()?;
    let (_, value) = text.split_once("encoding")?;
    let value = value.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    Encoding::for_label(value[1..].split(quote).next()?.as_bytes())
}

/// True for an MT940 statement of a Western bank: letters with accents stand alone, Chinese characters take bytes in
/// pairs. GB18030 would take the letter behind an accented one for the second half of a character.
fn is_western_statement(head: &[u8]) -> bool {
    let is_statement = head
        .split(|byte| *byte == b'\n')
        .any(|line| [&b":20:"[..], b":60F:", b":60M:", b":61:"].iter().any(|tag| line.starts_with(tag)));
    let runs = head.split(u8::is_ascii).filter(|run| !run.is_empty());
    is_statement && runs.clone().any(|run| run.len() % 2 == 1)
}

fn count(bytes: &[u8], which: impl Fn(u8) -> bool) -> u64 {
    u64::try_from(bytes.iter().filter(|byte| which(**byte)).count()).unwrap_or(u64::MAX)
}

fn read_full(from: &mut impl Read, into: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < into.len() {
        match from.read(&mut into[filled..])? {
            0 => break,
            read => filled += read,
        }
    }
    Ok(filled)
}

/// The encoding of a name in a mapping file.
pub fn encoding_of(name: &str) -> Option<&'static Encoding> {
    let known = Encoding::for_label(name.as_bytes())?;
    // GBK decodes to more with GB18030, its superset.
    let known = if known == encoding_rs::GBK { GB18030 } else { known };
    let taken = [UTF_8, GB18030, UTF_16LE, UTF_16BE, WINDOWS_1252, encoding_rs::BIG5];
    taken.contains(&known).then_some(known)
}
