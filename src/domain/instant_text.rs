//! How moments stand in the canonical form of a row: as chrono writes them, several times as fast.

use chrono::{Datelike, Timelike};
use serde::{Serialize, Serializer};

use super::Instant;

/// `2026-11-24T10:00:00.123Z`.
const BYTES_MAX: usize = 24;
const NANOS_PER_MS: u32 = 1_000_000;

/// For `#[serde(serialize_with)]`: what `Instant` itself would write.
pub(super) fn serialize<S: Serializer>(at: &Instant, serializer: S) -> Result<S::Ok, S::Error> {
    let mut buffer = [0; BYTES_MAX];
    match usual(*at, &mut buffer) {
        Some(text) => serializer.serialize_str(text),
        None => at.serialize(serializer),
    }
}

/// The same for a moment that may be missing.
#[expect(clippy::ref_option, reason = "the form that serde asks for")]
pub(super) fn serialize_some<S: Serializer>(at: &Option<Instant>, serializer: S) -> Result<S::Ok, S::Error> {
    struct Written(Instant);
    impl Serialize for Written {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serialize(&self.0, serializer)
        }
    }
    match at {
        Some(at) => serializer.serialize_some(&Written(*at)),
        None => serializer.serialize_none(),
    }
}

/// Whole milliseconds of the years 0 to 9999; all that records hold. `None` for others, and for leap seconds.
fn usual(at: Instant, buffer: &mut [u8; BYTES_MAX]) -> Option<&str> {
    // Once: each part of a `DateTime` is asked for through its offset.
    let at = at.naive_utc();
    let year = u32::try_from(at.year()).ok().filter(|year| *year <= 9_999)?;
    let nanos = at.nanosecond();
    if nanos >= 1000 * NANOS_PER_MS || !nanos.is_multiple_of(NANOS_PER_MS) {
        return None;
    }
    buffer.copy_from_slice(b"0000-00-00T00:00:00.000Z");
    put(buffer, 0, year / 100);
    put(buffer, 2, year % 100);
    put(buffer, 5, at.month());
    put(buffer, 8, at.day());
    put(buffer, 11, at.hour());
    put(buffer, 14, at.minute());
    put(buffer, 17, at.second());
    let ms = nanos / NANOS_PER_MS;
    let length = if ms == 0 {
        buffer[19] = b'Z';
        20
    } else {
        put(buffer, 20, ms / 10);
        buffer[22] = digit(ms % 10);
        BYTES_MAX
    };
    std::str::from_utf8(&buffer[..length]).ok()
}

/// Two digits at a place.
fn put(buffer: &mut [u8; BYTES_MAX], at: usize, number: u32) {
    buffer[at] = digit(number / 10);
    buffer[at + 1] = digit(number % 10);
}

/// The digit of a number below ten.
const fn digit(number: u32) -> u8 {
    b'0' + (number % 10) as u8
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::instant_from_ms;

    fn written(at: Instant) -> String {
        let mut buffer = [0; BYTES_MAX];
        usual(at, &mut buffer).expect("usual").to_owned()
    }

    fn by_chrono(at: Instant) -> String {
        serde_json::to_value(at).unwrap().as_str().unwrap().to_owned()
    }

    proptest! {
        #[test]
        fn moments_are_written_as_chrono_writes_them(ms in -62_167_219_200_000_i64..=253_402_300_799_999) {
            for ms in [ms, ms / 1000 * 1000] {
                let at = instant_from_ms(ms);
                prop_assert_eq!(written(at), by_chrono(at));
            }
        }
    }

    #[test]
    fn what_is_not_usual_is_left_to_chrono() {
        #[derive(Serialize)]
        struct Both {
            #[serde(serialize_with = "serialize")]
            one: Instant,
            #[serde(serialize_with = "serialize_some")]
            other: Option<Instant>,
        }
        let leap: Instant = "2016-12-31T23:59:60Z".parse().unwrap();
        let mut buffer = [0; BYTES_MAX];
        for at in [leap, "2026-01-01T00:00:00.0001Z".parse().unwrap(), Instant::MIN_UTC, Instant::MAX_UTC] {
            assert_eq!(usual(at, &mut buffer), None, "{at}");
        }
        for at in [leap, instant_from_ms(1_795_000_000_001)] {
            for other in [Some(at), None] {
                let ours = postcard::to_allocvec(&Both { one: at, other }).unwrap();
                assert_eq!(ours, postcard::to_allocvec(&(at, other)).unwrap());
            }
        }
    }
}
