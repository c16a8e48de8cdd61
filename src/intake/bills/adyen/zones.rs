use chrono::{FixedOffset, NaiveDateTime, Offset, TimeZone, Utc};
use chrono_tz::Tz;

use super::super::rejection::{Fault, RejectCode};
use super::super::values;
use crate::domain::Instant;

/// Minutes east of Greenwich. Abbreviations with several meanings are not here: `CST` is Central America or China, `IST`
/// India, Ireland or Israel.
const KNOWN: [(&str, i32); 38] = [
    ("UTC", 0),
    ("GMT", 0),
    ("Z", 0),
    ("WET", 0),
    ("WEST", 60),
    ("BST", 60),
    ("CET", 60),
    ("CEST", 120),
    ("MET", 60),
    ("MEST", 120),
    ("EET", 120),
    ("EEST", 180),
    ("SAST", 120),
    ("MSK", 180),
    ("TRT", 180),
    ("GST", 240),
    ("PKT", 300),
    ("ICT", 420),
    ("WIB", 420),
    ("SGT", 480),
    ("HKT", 480),
    ("PHT", 480),
    ("MYT", 480),
    ("AWST", 480),
    ("JST", 540),
    ("KST", 540),
    ("ACST", 570),
    ("AEST", 600),
    ("ACDT", 630),
    ("AEDT", 660),
    ("NZST", 720),
    ("NZDT", 780),
    ("BRT", -180),
    ("EDT", -240),
    ("EST", -300),
    ("MST", -420),
    ("PDT", -420),
    ("PST", -480),
];
/// A wall-clock time with such an abbreviation beside it. `hint` is the account's zone: it decides where the
/// abbreviation has several meanings or none that is known, and only if the clock there bears that name at that time.
pub fn abbreviated_time(
    (field, cell): (&str, &str),
    (zone_field, abbreviation): (&str, &str),
    hint: Option<Tz>,
    now: Instant,
) -> Result<Instant, Fault> {
    let local = values::wall_clock(field, cell, false)?;
    let name = abbreviation.trim().to_ascii_uppercase();
    let known = KNOWN.iter().find(|(known, _)| *known == name).map(|(_, minutes)| *minutes);
    let hinted = hint.and_then(|zone| offset_there(zone, local, &name));
    let seconds = hinted.or_else(|| known.map(|minutes| minutes * 60));
    let unclear = || Fault::quoting(zone_field, RejectCode::UnknownZone, abbreviation);
    let offset = seconds.and_then(FixedOffset::east_opt).ok_or_else(unclear)?;
    let at = offset.from_local_datetime(&local).single().ok_or_else(unclear)?.with_timezone(&Utc);
    values::in_range(field, cell, at, now)
}

/// Seconds east of Greenwich of the zone at that time, if its clock is called so then.
fn offset_there(zone: Tz, local: NaiveDateTime, name: &str) -> Option<i32> {
    let there = zone.from_local_datetime(&local);
    [there.earliest(), there.latest()]
        .into_iter()
        .flatten()
        .find(|at| at.format("%Z").to_string().eq_ignore_ascii_case(name))
        .map(|at| at.offset().fix().local_minus_utc())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::instant_from_ms;

    const SEVERAL: [&str; 6] = ["CST", "CDT", "IST", "AST", "MDT", "AMT"];

    #[test]
    fn trap_zone_abbreviations_are_read_by_a_table_and_the_accounts_zone() {
        let now = instant_from_ms(1_795_564_800_000);
        let at = |name: &str, hint: Option<Tz>| {
            abbreviated_time(("t", "2026-07-01 12:00:00"), ("z", name), hint, now).map(|at| at.to_rfc3339())
        };
        for (name, utc) in [("CEST", "10"), ("PDT", "19"), ("BST", "11"), ("pst", "20"), ("UTC", "12")] {
            assert_eq!(at(name, None).unwrap(), format!("2026-07-01T{utc}:00:00+00:00"), "{name}");
        }
        for name in SEVERAL.into_iter().chain(["", "XYZ"]) {
            assert_eq!(at(name, None).unwrap_err().code, RejectCode::UnknownZone, "{name}");
        }
        assert_eq!(at("CST", Some(Tz::Asia__Shanghai)).unwrap(), "2026-07-01T04:00:00+00:00");
        assert_eq!(at("CDT", Some(Tz::America__Chicago)).unwrap(), "2026-07-01T17:00:00+00:00");
        assert_eq!(at("IST", Some(Tz::Asia__Kolkata)).unwrap(), "2026-07-01T06:30:00+00:00");
        // A wrong hint changes nothing that is certain, and helps nothing that is not.
        assert_eq!(at("CEST", Some(Tz::Asia__Shanghai)).unwrap(), "2026-07-01T10:00:00+00:00");
        assert!(at("IST", Some(Tz::Asia__Shanghai)).is_err());
    }
}
