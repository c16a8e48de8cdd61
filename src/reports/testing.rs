//! Small worlds for the tests of this room.

use chrono::NaiveDate;
use chrono_tz::Tz;

use crate::domain::{Currency, Instant, OrganisationId, Store, StoreId};

use super::{Period, Query};

pub(super) fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

pub(super) fn at(text: &str) -> Instant {
    text.parse().unwrap()
}

pub(super) fn store(id: i64, zone: Tz) -> Store {
    Store {
        id: StoreId(id),
        organisation: OrganisationId(1),
        slug: format!("store-{id}"),
        name: format!("Store {id}"),
        zone,
        cut_off: chrono::NaiveTime::MIN,
        week_start: chrono::Weekday::Mon,
        currency: Currency::CNY,
        language: "zh-Hans".into(),
    }
}

/// A query of one store in Shanghai.
pub(super) fn query(period: Period, now: Instant) -> Query {
    Query::new(vec![store(1, Tz::Asia__Shanghai)], period, now)
}
