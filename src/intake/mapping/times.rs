//! Times of a file, in the formats that its mapping names.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Utc};
use chrono_tz::Tz;

use super::super::bills::{Fault, RejectCode, in_range};
use crate::domain::Instant;

/// A time, and the day that the file prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    pub at: Instant,
    pub day: NaiveDate,
}

/// What is needed to understand a time.
pub struct Clockwork<'a> {
    pub formats: &'a [String],
    pub zone: Tz,
    pub now: Instant,
}

impl Clockwork<'_> {
    /// Reads a cell. A day without a time stands for its noon, so that no zone makes another day of it.
    pub fn read(&self, field: &str, text: &str) -> Result<Told, Fault> {
        for format in self.formats {
            if let Ok(at) = DateTime::parse_from_str(text, format) {
                let at = in_range(field, text, at.with_timezone(&Utc), self.now)?;
                return Ok(Told { at, day: at.with_timezone(&self.zone).date_naive() });
            }
            let local = NaiveDateTime::parse_from_str(text, format).ok().or_else(|| {
                // Workbooks print midnight behind every day.
                let day = text.strip_suffix(" 00:00:00").unwrap_or(text);
                let noon = NaiveTime::from_hms_opt(12, 0, 0)?;
                Some(NaiveDate::parse_from_str(day, format).ok()?.and_time(noon))
            });
            if let Some(local) = local {
                // Clocks put back: the earlier of the two. Put forward: there is no such time.
                let at = self.zone.from_local_datetime(&local).earliest();
                let at = at.ok_or_else(|| Fault::quoting(field, RejectCode::NoSuchTime, text))?;
                let at = in_range(field, text, at.with_timezone(&Utc), self.now)?;
                return Ok(Told { at, day: local.date() });
            }
        }
        Err(Fault::quoting(field, RejectCode::NotATime, text))
    }
}

/// A day and its time, where they stand in two cells.
pub fn joined(day: &str, time: Option<&str>) -> String {
    match time {
        // A workbook prints midnight behind a day, and what it takes for a time alone without one.
        Some(time) => format!("{} {time}", day.strip_suffix(" 00:00:00").unwrap_or(day)).trim().to_owned(),
        None => day.to_owned(),
    }
}
