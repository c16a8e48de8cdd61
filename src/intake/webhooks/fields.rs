//! A JSON object whose fields are asked for one by one; what nobody asked for is counted.

use std::cell::RefCell;
use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::reading::{EndpointContext, Fault, FaultCode, id, plausible};
use crate::domain::{Instant, instant_from_ms};

/// One object of a notice.
pub(super) struct Fields<'a> {
    object: &'a Map<String, Value>,
    asked: RefCell<BTreeSet<&'static str>>,
}

/// The JSON of a body.
///
/// # Errors
/// [`FaultCode::Unreadable`].
pub(super) fn parse(bytes: &[u8]) -> Result<Value, Fault> {
    serde_json::from_slice(bytes).map_err(|_| Fault::new("", FaultCode::Unreadable))
}

impl<'a> Fields<'a> {
    /// The fields of this value, which must be an object.
    pub(super) fn of(field: &'static str, value: &'a Value) -> Result<Self, Fault> {
        let object = value.as_object().ok_or_else(|| Fault::new(field, FaultCode::Unreadable))?;
        Ok(Self { object, asked: RefCell::default() })
    }

    /// The value of a field; `null` is none.
    pub(super) fn value(&self, name: &'static str) -> Option<&'a Value> {
        self.asked.borrow_mut().insert(name);
        self.object.get(name).filter(|value| !value.is_null())
    }

    /// A text; none when it is missing, empty, or no text.
    pub(super) fn text(&self, name: &'static str) -> Option<&'a str> {
        self.value(name)?.as_str().filter(|text| !text.is_empty())
    }

    /// A text that must be there.
    pub(super) fn needed_text(&self, name: &'static str) -> Result<&'a str, Fault> {
        match self.value(name) {
            None => Err(Fault::new(name, FaultCode::Missing)),
            Some(Value::String(text)) if text.is_empty() => Err(Fault::new(name, FaultCode::Missing)),
            Some(Value::String(text)) => Ok(text),
            Some(_) => Err(Fault::new(name, FaultCode::Unreadable)),
        }
    }

    /// An id that must be there and fit.
    pub(super) fn id(&self, name: &'static str) -> Result<String, Fault> {
        id(name, self.needed_text(name)?)
    }

    /// An id that may be missing, but fits where it is there.
    pub(super) fn optional_id(&self, name: &'static str) -> Result<Option<String>, Fault> {
        self.text(name).map(|text| id(name, text)).transpose()
    }

    /// A whole number, or a text of one (Hyperswitch writes amounts of disputes so).
    pub(super) fn integer(&self, name: &'static str) -> Result<Option<i64>, Fault> {
        let wrong = || Fault::new(name, FaultCode::NotAnAmount);
        match self.value(name) {
            None => Ok(None),
            Some(Value::Number(number)) => number.as_i64().map(Some).ok_or_else(wrong),
            Some(Value::String(text)) => text.parse().map(Some).map_err(|_| wrong()),
            Some(_) => Err(wrong()),
        }
    }

    /// A whole number that must be there.
    pub(super) fn needed_integer(&self, name: &'static str) -> Result<i64, Fault> {
        self.integer(name)?.ok_or_else(|| Fault::new(name, FaultCode::Missing))
    }

    /// True or false.
    pub(super) fn truth(&self, name: &'static str) -> Option<bool> {
        self.value(name)?.as_bool()
    }

    /// An object in this one.
    pub(super) fn object(&self, name: &'static str) -> Result<Option<Fields<'a>>, Fault> {
        self.value(name).map(|value| Fields::of(name, value)).transpose()
    }

    /// An object that must be there.
    pub(super) fn needed_object(&self, name: &'static str) -> Result<Fields<'a>, Fault> {
        self.object(name)?.ok_or_else(|| Fault::new(name, FaultCode::Missing))
    }

    /// A list; none is an empty one.
    pub(super) fn list(&self, name: &'static str) -> &'a [Value] {
        self.value(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// A moment in seconds since 1970.
    pub(super) fn epoch(
        &self,
        name: &'static str,
        context: &EndpointContext<'_>,
    ) -> Result<Option<Instant>, Fault> {
        let Some(seconds) = self.integer(name)? else { return Ok(None) };
        let out_of_range = || Fault::new(name, FaultCode::OutOfRange);
        let ms = seconds.checked_mul(1000).filter(|ms| ms.abs() < MS_MAX).ok_or_else(out_of_range)?;
        plausible(name, instant_from_ms(ms), context).map(Some)
    }

    /// A moment as RFC 3339 writes it.
    pub(super) fn moment(
        &self,
        name: &'static str,
        context: &EndpointContext<'_>,
    ) -> Result<Option<Instant>, Fault> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let at = rfc3339(text).ok_or_else(|| Fault::new(name, FaultCode::NotATime))?;
        plausible(name, at, context).map(Some)
    }

    /// How many fields nobody asked for.
    pub(super) fn unread(&self) -> usize {
        let asked = self.asked.borrow();
        self.object.keys().filter(|name| !asked.contains(name.as_str())).count()
    }
}

/// The year 9999 in milliseconds, about.
const MS_MAX: i64 = 253_000_000_000_000;

/// To the millisecond: what is kept and what was read are then the same.
pub(super) fn rfc3339(text: &str) -> Option<Instant> {
    let at = chrono::DateTime::parse_from_rfc3339(text).ok()?;
    Some(instant_from_ms(at.timestamp_millis()))
}
