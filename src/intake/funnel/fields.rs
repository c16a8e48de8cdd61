//! Reading JSON of others: fields are found by name and read one by one, so that the one at fault is known by name;
//! what nobody asks for is never unpacked.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::intake::api::{Code, Fault, Text};
use crate::intake::{holds_card_number, names_card_secret};

/// Fields of one object.
pub(super) const FIELDS_MAX: usize = 500;
/// Characters of an unknown field's name that are repeated in an answer.
const NAME_SHOWN_CHARS_MAX: usize = 64;
/// Characters of a number that is written as text.
const NUMBER_CHARS_MAX: usize = 32;

/// A JSON object and its place in the payload.
pub(super) struct Fields<'a> {
    path: String,
    pairs: Vec<(Cow<'a, str>, &'a RawValue)>,
}

impl<'a> Fields<'a> {
    /// Reads an object; `path` is where it stands, empty for the payload itself.
    pub(super) fn read(json: &'a str, path: String) -> Result<Self, Fault> {
        let mut deserializer = serde_json::Deserializer::from_str(json);
        let pairs = deserializer.deserialize_map(PairsVisitor).and_then(|pairs| {
            deserializer.end()?;
            Ok(pairs)
        });
        match pairs {
            Ok(Some(pairs)) => Ok(Self { path, pairs }),
            Ok(None) => Err(Fault::new(path, Code::TooMany, format!("holds more than {FIELDS_MAX} fields"))),
            Err(error) if error.is_data() => Err(Fault::new(path, Code::WrongType, "must be a JSON object")),
            Err(error) if error.is_eof() => {
                Err(Fault::new(path, Code::InvalidJson, "the JSON ends in the middle"))
            }
            Err(error) => {
                let message = format!("not JSON at character {}", error.column());
                Err(Fault::new(path, Code::InvalidJson, message))
            }
        }
    }

    /// Where a field of this object stands.
    pub(super) fn place(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    pub(super) fn fault(&self, name: &str, code: Code, message: impl Into<Cow<'static, str>>) -> Fault {
        Fault::new(self.place(name), code, message)
    }

    /// The value of a field as it is written; `null` is the same as no field.
    pub(super) fn raw(&self, name: &str) -> Result<Option<&'a RawValue>, Fault> {
        let mut found = self.pairs.iter().filter(|(own, _)| own == name).map(|(_, raw)| *raw);
        let first = found.next();
        if found.next().is_some() {
            return Err(self.fault(name, Code::DuplicateField, "is there twice"));
        }
        Ok(first.filter(|raw| raw.get() != "null"))
    }

    /// A text; a number is taken as it is written. An empty one is none.
    pub(super) fn text(&self, name: &str) -> Result<Option<Cow<'a, str>>, Fault> {
        let Some(raw) = self.raw(name)? else { return Ok(None) };
        let text = match raw.get().as_bytes().first() {
            Some(b'"') => match serde_json::from_str::<Text<'a>>(raw.get()) {
                Ok(Text(text)) => text,
                Err(_) => return Err(self.fault(name, Code::InvalidJson, "is not a JSON string")),
            },
            Some(b'-' | b'0'..=b'9') => Cow::Borrowed(raw.get()),
            _ => return Err(self.fault(name, Code::WrongType, "must be a string or a number")),
        };
        Ok(Some(text).filter(|text| !text.trim().is_empty()))
    }

    /// The first of several names under which a text stands.
    pub(super) fn first_text(
        &self,
        names: &[&'static str],
    ) -> Result<Option<(&'static str, Cow<'a, str>)>, Fault> {
        for name in names {
            if let Some(text) = self.text(name)? {
                return Ok(Some((name, text)));
            }
        }
        Ok(None)
    }

    /// An exact decimal, written as a number or as text.
    pub(super) fn decimal(&self, name: &str) -> Result<Option<Decimal>, Fault> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let text = text.trim();
        let number = (text.len() <= NUMBER_CHARS_MAX)
            .then(|| Decimal::from_str_exact(text).or_else(|_| Decimal::from_scientific(text)).ok())
            .flatten();
        match number {
            Some(number) => Ok(Some(number.normalize())),
            None => Err(self.fault(name, Code::WrongType, "must be a decimal number such as 12.5")),
        }
    }

    /// A whole number, written as a number or as text.
    pub(super) fn integer(&self, name: &str) -> Result<Option<i64>, Fault> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        match i64::from_str(text.trim()) {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(self.fault(name, Code::WrongType, "must be a whole number")),
        }
    }

    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, Fault> {
        match self.raw(name)?.map(RawValue::get) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => Err(self.fault(name, Code::WrongType, "must be true or false")),
        }
    }

    /// An object in a field; an absent one has no fields.
    pub(super) fn object(&self, name: &str) -> Result<Self, Fault> {
        match self.raw(name)? {
            Some(raw) => Self::read(raw.get(), self.place(name)),
            None => Ok(Self { path: self.place(name), pairs: Vec::new() }),
        }
    }

    /// A list of objects of at most `most`; `None` when there is no such field.
    pub(super) fn objects(&self, name: &str, most: usize) -> Result<Option<Vec<Self>>, Fault> {
        let Some(raw) = self.raw(name)? else { return Ok(None) };
        let mut deserializer = serde_json::Deserializer::from_str(raw.get());
        let Ok(entries) = deserializer.deserialize_seq(ListVisitor { most }) else {
            return Err(self.fault(name, Code::WrongType, "must be a list of JSON objects"));
        };
        if entries.len() > most {
            return Err(self.fault(name, Code::TooMany, format!("holds more than {most} entries")));
        }
        let place = self.place(name);
        entries
            .into_iter()
            .enumerate()
            .map(|(at, raw)| Self::read(raw.get(), format!("{place}[{at}]")))
            .collect::<Result<_, _>>()
            .map(Some)
    }

    /// Refuses an object with card numbers or the fields for them, also where nobody would read them.
    pub(super) fn check_card_numbers(&self) -> Result<(), Fault> {
        for (name, raw) in &self.pairs {
            if names_card_secret(name) || holds_card_number(name) {
                let message = "card numbers, security codes and PINs may not be sent here";
                return Err(self.fault("(hidden)", Code::PanSuspected, message));
            }
            let Err(error) = serde_json::from_str::<Clean>(raw.get()) else { continue };
            let shown: String = name.chars().filter(|c| !c.is_control()).take(NAME_SHOWN_CHARS_MAX).collect();
            return Err(if error.is_data() {
                let message = "holds what looks like a card number, which may not be sent here";
                self.fault(&shown, Code::PanSuspected, message)
            } else {
                self.fault(&shown, Code::InvalidJson, "is nested too deeply, or no JSON")
            });
        }
        Ok(())
    }
}

/// Any JSON without card numbers and fields for them; reading it is the check. A number with a decimal point is none:
/// a price of a third has sixteen digits.
struct Clean;

impl<'de> Deserialize<'de> for Clean {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CleanVisitor)
    }
}

struct CleanVisitor;

fn clean<E: Error>(text: &str) -> Result<Clean, E> {
    if holds_card_number(text) { Err(E::custom("a card number")) } else { Ok(Clean) }
}

impl<'de> Visitor<'de> for CleanVisitor {
    type Value = Clean;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no card number")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Clean, E> {
        clean(text)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Clean, E> {
        clean(&number.to_string())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Clean, E> {
        Ok(Clean)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Clean, E> {
        Ok(Clean)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Clean, E> {
        Ok(Clean)
    }

    fn visit_unit<E: Error>(self) -> Result<Clean, E> {
        Ok(Clean)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Clean, A::Error> {
        while list.next_element::<Clean>()?.is_some() {}
        Ok(Clean)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Clean, A::Error> {
        while let Some((Text(name), Clean)) = map.next_entry::<Text<'de>, Clean>()? {
            if names_card_secret(&name) {
                return Err(A::Error::custom("a field for a card number"));
            }
        }
        Ok(Clean)
    }
}

/// `None` when there are too many.
struct PairsVisitor;

impl<'de> Visitor<'de> for PairsVisitor {
    type Value = Option<Vec<(Cow<'de, str>, &'de RawValue)>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pairs = Vec::new();
        let mut count = 0_usize;
        while let Some((Text(name), raw)) = map.next_entry::<Text<'de>, &'de RawValue>()? {
            count += 1;
            if count <= FIELDS_MAX {
                pairs.push((name, raw));
            }
        }
        Ok((count <= FIELDS_MAX).then_some(pairs))
    }
}

/// At most one entry more than may be there.
struct ListVisitor {
    most: usize,
}

impl<'de> Visitor<'de> for ListVisitor {
    type Value = Vec<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = list.next_element::<&'de RawValue>()? {
            if entries.len() <= self.most {
                entries.push(entry);
            }
            if !entry.get().starts_with('{') {
                return Err(A::Error::custom("no object"));
            }
        }
        Ok(entries)
    }
}
