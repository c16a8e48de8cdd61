//! Checkout events in the shapes of others, which many shops send already: GA4's measurement protocol, Segment's track
//! calls, CloudEvents. Each event becomes one of ours and is judged as one of ours.
//!
//! An event without an id gets one made of what is kept of it, so that a body sent twice, in halves or in any order
//! changes nothing. Names that are no step of checkout are passed over and counted; references to people are hashed at
//! once.

mod beacon;
mod cloud_events;
mod fields;
mod ga4;
mod method;
mod segment;
#[cfg(test)]
mod tests;
mod told;

pub use beacon::{
    BEACON_AHEAD_MINUTES_MAX, BEACON_BYTES_MAX, BEACON_EVENTS_MAX, BEACON_HOURS_MAX, BeaconFault, read_beacon,
};
pub use cloud_events::Attributes;

use super::api::{
    BATCH_ROWS_MAX, BodyError, BodyFormat, Code, Fault, Judge, RowContext, RowError, find_rows,
};
use crate::domain::CheckoutEvent;

/// Bytes of one payload: as much as Segment takes in one batch.
pub const PAYLOAD_BYTES_MAX: usize = 512 << 10;

/// The shapes that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    Ga4,
    Segment,
    CloudEvents,
}

impl Shape {
    /// Every shape.
    pub const ALL: [Self; 3] = [Self::Ga4, Self::Segment, Self::CloudEvents];

    /// The last part of its address, and the name of the way in.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ga4 => "ga4",
            Self::Segment => "segment",
            Self::CloudEvents => "cloudevents",
        }
    }
}

/// What became of the events of a body.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sorted {
    /// The good ones, in their order.
    pub events: Vec<CheckoutEvent>,
    /// The refused ones: the payload's place in the body, and the field in it.
    pub errors: Vec<RowError>,
    /// Those whose names are no step of checkout.
    pub ignored: usize,
    /// The payload that is being read.
    payload: usize,
}

impl Sorted {
    const fn len(&self) -> usize {
        self.events.len() + self.errors.len() + self.ignored
    }

    fn add(&mut self, read: Result<Option<CheckoutEvent>, Fault>) {
        match read {
            Ok(Some(event)) => self.events.push(event),
            Ok(None) => self.ignored += 1,
            Err(fault) => self.errors.push(fault.at(self.payload)),
        }
    }
}

/// Reads the events of a body of this shape.
///
/// # Errors
/// [`BodyError`] when not even the payloads can be told apart, or hold more than [`BATCH_ROWS_MAX`] events.
pub fn parse(
    body: &[u8],
    format: BodyFormat,
    shape: Shape,
    context: &RowContext<'_>,
) -> Result<Sorted, BodyError> {
    let payloads = find_rows(body, format)?;
    let judge = Judge::new(context, payloads.len());
    let mut sorted = Sorted::default();
    for (place, payload) in payloads.into_iter().enumerate() {
        sorted.payload = place;
        if let Err(fault) = read_payload(payload, shape, &judge, context, &mut sorted) {
            sorted.add(Err(fault));
        }
        if sorted.len() > BATCH_ROWS_MAX {
            return Err(BodyError::TooManyRows);
        }
    }
    Ok(sorted)
}

fn read_payload(
    payload: &[u8],
    shape: Shape,
    judge: &Judge<'_>,
    context: &RowContext<'_>,
    sorted: &mut Sorted,
) -> Result<(), Fault> {
    if payload.len() > PAYLOAD_BYTES_MAX {
        let message = format!("has more than {PAYLOAD_BYTES_MAX} bytes");
        return Err(Fault::new("", Code::RowTooLong, message));
    }
    let json = std::str::from_utf8(payload).map_err(|error| {
        Fault::new("", Code::NotUtf8, format!("not UTF-8 from byte {} on", error.valid_up_to()))
    })?;
    match shape {
        Shape::Ga4 => ga4::read(json, judge, context, sorted),
        Shape::Segment => segment::read(json, judge, context, sorted),
        Shape::CloudEvents => cloud_events::read(json, judge, context, sorted),
    }
}
