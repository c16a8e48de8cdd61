//! XML as a stream of elements, within named limits. No entity is expanded but the five of XML itself, no DTD is read.

use std::io::{self, BufRead};
use std::ops::ControlFlow;
use std::rc::Rc;

use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::{Error, Reader};

use super::bills::{Refusal, SpoolError, XmlFault};
use super::guarded::{Gauge, Guarded};

/// Bytes of one tag, text or comment.
pub const PIECE_BYTES_MAX: u64 = 256 << 10;
/// Elements inside one another; a statement has about twelve.
pub const DEPTH_MAX: usize = 64;
/// Attributes of one element.
pub const ATTRIBUTES_MAX: usize = 32;
/// Bytes of the text of one element that are kept.
const TEXT_BYTES_MAX: usize = 64 << 10;

/// Those attributes of an element that were asked for.
#[derive(Debug, Default)]
pub struct Attributes(Vec<(&'static str, String)>);

impl Attributes {
    /// The value under a local name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(own, _)| *own == name).map(|(_, value)| value.as_str())
    }
}

/// What a reader of elements is told.
#[derive(Clone, Copy)]
pub enum Step<'a> {
    /// An element begins; `path` ends with its name.
    Open { path: &'a str, attributes: &'a Attributes },
    /// An element ends; `text` is what stood in it after the last element inside, `attributes` are its own where none
    /// stands inside.
    Close { path: &'a str, text: &'a str, attributes: &'a Attributes },
}

/// Goes on, or ends the walk before the document's end.
pub type Walked = Result<ControlFlow<()>, Refusal>;

/// Reads a document and tells `each` what begins and ends, by the local names on the way to it, with the bytes that were
/// gone through. Of attributes those of `wanted` are kept.
///
/// # Errors
/// [`Refusal::Xml`] for what breaks a limit or is no XML, [`Refusal::CutOff`] for a document that does not end.
pub fn walk(
    text: impl BufRead,
    wanted: &[&'static str],
    each: &mut dyn FnMut(Step<'_>, u64) -> Walked,
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
        let goes_on = match event {
            Event::Start(start) => {
                place.open(&start, wanted)?;
                each(Step::Open { path: &place.path, attributes: &place.attributes }, position)?
            }
            Event::End(_) => {
                let (path, text, attributes) = (&place.path, &place.text, &place.attributes);
                let goes_on = each(Step::Close { path, text, attributes }, position)?;
                place.close();
                goes_on
            }
            Event::Text(piece) => place.add(&piece.xml10_content()),
            Event::CData(piece) => place.add(&piece.xml10_content()),
            Event::GeneralRef(entity) => place.add(&character(&entity)?),
            Event::DocType(_) => return Err(Refusal::Xml(XmlFault::Doctype).into()),
            Event::Eof if place.names.is_empty() => return Ok(()),
            Event::Eof => return Err(Refusal::CutOff.into()),
            Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => ControlFlow::Continue(()),
        };
        if goes_on.is_break() {
            return Ok(());
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
    attributes: Attributes,
}

impl Place {
    fn open(&mut self, start: &BytesStart<'_>, wanted: &[&'static str]) -> Result<(), Refusal> {
        if self.names.len() >= DEPTH_MAX {
            return Err(Refusal::Xml(XmlFault::Depth(DEPTH_MAX)));
        }
        self.text.clear();
        self.attributes.0.clear();
        for (count, attribute) in start.attributes().with_checks(false).enumerate() {
            if count >= ATTRIBUTES_MAX {
                return Err(Refusal::Xml(XmlFault::Attributes(ATTRIBUTES_MAX)));
            }
            let Ok(attribute) = attribute else { return Err(Refusal::Xml(XmlFault::Broken)) };
            let name = attribute.key.local_name().into_inner();
            if let Some(name) = wanted.iter().find(|wanted| **wanted == name) {
                let value = quick_xml::escape::unescape(&attribute.value);
                let value = value.map_err(|_| Refusal::Xml(XmlFault::Entity))?.into_owned();
                self.attributes.0.push((name, value));
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
        self.attributes.0.clear();
    }

    fn add(&mut self, piece: &str) -> ControlFlow<()> {
        let room = TEXT_BYTES_MAX.saturating_sub(self.text.len());
        if piece.len() <= room {
            self.text.push_str(piece);
        } else {
            self.text.extend(piece.chars().take(room / 4));
        }
        ControlFlow::Continue(())
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
        Error::Io(cause) if cause.kind() == io::ErrorKind::FileTooLarge => Refusal::Bomb.into(),
        Error::Io(cause) => io::Error::new(cause.kind(), cause).into(),
        Error::Syntax(_) => Refusal::CutOff.into(),
        _ => Refusal::Xml(XmlFault::Broken).into(),
    }
}
