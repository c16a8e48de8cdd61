//! XML as a stream of leaves, within named limits. No entity is expanded but the five of XML itself, no DTD is read.

use std::io::BufRead;
use std::rc::Rc;

use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::{Error, Reader};

use super::super::bills::{Refusal, SpoolError, XmlFault};
use super::guarded::{Gauge, Guarded};

/// Bytes of one tag, text or comment.
pub const PIECE_BYTES_MAX: u64 = 256 << 10;
/// Elements inside one another; a statement has about twelve.
pub const DEPTH_MAX: usize = 64;
/// Attributes of one element.
pub const ATTRIBUTES_MAX: usize = 32;
/// Bytes of the text of one element that are kept.
const TEXT_BYTES_MAX: usize = 4 << 10;

/// What a reader of elements is told.
pub enum Step<'a> {
    /// An element begins; `path` ends with its name.
    Open { path: &'a str },
    /// An element ends; `text` is what stood in it before any element inside, `currency` its attribute `Ccy`.
    Close { path: &'a str, text: &'a str, currency: Option<&'a str> },
}

/// Reads a whole document and tells `each` what begins and ends, by the local names on the way to it.
///
/// # Errors
/// [`Refusal::Xml`] for what breaks a limit or is no XML, [`Refusal::CutOff`] for a document that does not end.
pub fn walk(
    text: impl BufRead,
    each: &mut dyn FnMut(Step<'_>, u64) -> Result<(), Refusal>,
) -> Result<(), SpoolError> {
    let gauge = Gauge::new(PIECE_BYTES_MAX);
    let mut reader = Reader::from_reader(Guarded::new(text, Rc::clone(&gauge)));
    reader.config_mut().expand_empty_elements = true;
    let mut place = Place::default();
    let mut buffer = Vec::new();
    loop {
        buffer.clear();
        gauge.restart();
        let event = reader.read_event_into(&mut buffer).map_err(|error| refused(error, &gauge))?;
        let position = gauge.position();
        match event {
            Event::Start(start) => {
                place.open(&start)?;
                each(Step::Open { path: &place.path }, position)?;
            }
            Event::End(_) => {
                let currency = place.currency.take();
                each(
                    Step::Close { path: &place.path, text: place.text.trim(), currency: currency.as_deref() },
                    position,
                )?;
                place.close();
            }
            Event::Text(piece) => place.add(&piece.xml10_content()),
            Event::CData(piece) => place.add(&piece.xml10_content()),
            Event::GeneralRef(entity) => place.add(&character(&entity)?),
            Event::DocType(_) => return Err(Refusal::Xml(XmlFault::Doctype).into()),
            Event::Eof if place.names.is_empty() => return Ok(()),
            Event::Eof => return Err(Refusal::CutOff.into()),
            Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
        }
    }
}

/// Where in the document the reader stands.
#[derive(Default)]
struct Place {
    /// Local names from the root, divided by slashes.
    path: String,
    /// Where each name begins in `path`.
    names: Vec<usize>,
    text: String,
    currency: Option<String>,
}

impl Place {
    fn open(&mut self, start: &BytesStart<'_>) -> Result<(), Refusal> {
        if self.names.len() >= DEPTH_MAX {
            return Err(Refusal::Xml(XmlFault::Depth(DEPTH_MAX)));
        }
        self.text.clear();
        self.currency = None;
        for (count, attribute) in start.attributes().with_checks(false).enumerate() {
            if count >= ATTRIBUTES_MAX {
                return Err(Refusal::Xml(XmlFault::Attributes(ATTRIBUTES_MAX)));
            }
            let Ok(attribute) = attribute else { return Err(Refusal::Xml(XmlFault::Broken)) };
            if attribute.key.local_name().into_inner() == "Ccy" {
                self.currency = Some(attribute.value.chars().take(8).collect());
            }
        }
        self.names.push(self.path.len());
        if !self.path.is_empty() {
            self.path.push('/');
        }
        self.path.push_str(start.local_name().into_inner());
        Ok(())
    }

    fn close(&mut self) {
        self.path.truncate(self.names.pop().unwrap_or(0));
        self.text.clear();
    }

    fn add(&mut self, piece: &str) {
        let room = TEXT_BYTES_MAX.saturating_sub(self.text.len());
        if piece.len() <= room {
            self.text.push_str(piece);
        } else {
            self.text.extend(piece.chars().take(room / 4));
        }
    }
}

/// One of the five entities of XML, or a character by its number.
fn character(entity: &BytesRef<'_>) -> Result<String, Refusal> {
    let known = match entity.as_ref() {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => entity.resolve_char_ref().ok().flatten(),
    };
    known.map(String::from).ok_or(Refusal::Xml(XmlFault::Entity))
}

fn refused(error: Error, gauge: &Gauge) -> SpoolError {
    if gauge.is_exceeded() {
        return Refusal::Xml(XmlFault::Piece(PIECE_BYTES_MAX)).into();
    }
    match error {
        Error::Io(cause) => std::io::Error::new(cause.kind(), cause).into(),
        Error::Syntax(_) => Refusal::CutOff.into(),
        _ => Refusal::Xml(XmlFault::Broken).into(),
    }
}
