use chrono::{NaiveTime, Timelike, Weekday};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::Currency;

/// Who owns stores, keys and people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OrganisationId(pub i64);

/// A store's number in this installation; its `slug` is what people and senders write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct StoreId(pub i64);

/// One store with what its business day depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    pub id: StoreId,
    pub organisation: OrganisationId,
    /// Lower case, unique in the organisation.
    pub slug: String,
    pub name: String,
    pub zone: Tz,
    /// When the business day ends, local time; 00:00 for most, 04:00 for a bar.
    pub cut_off: NaiveTime,
    pub week_start: Weekday,
    pub currency: Currency,
    /// `zh-Hans` or `en`.
    pub language: String,
}

/// Longest slug of a store.
pub const SLUG_CHARS_MAX: usize = 32;

/// True for what a store may be called in addresses and records: lower-case letters, digits and single hyphens.
///
/// `all` is taken: it means every store.
pub fn is_store_slug(text: &str) -> bool {
    (1..=SLUG_CHARS_MAX).contains(&text.len())
        && text != "all"
        && text.split('-').all(|part| {
            !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        })
}

/// How finely a store's rollups divide time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grain {
    Hour,
    /// For zones with half- or quarter-hour offsets, and cut-offs that are no whole hour.
    Quarter,
}

impl Store {
    /// The coarsest grain in which this store's business days begin and end on a cell's edge.
    pub fn grain(&self) -> Grain {
        use chrono::{Offset, TimeZone};
        let whole_hours = [1_735_689_600, 1_751_328_000].into_iter().all(|second| {
            // Winter and summer of 2025: offsets change with the season, whole hours rarely do.
            self.zone
                .timestamp_opt(second, 0)
                .single()
                .is_some_and(|local| local.offset().fix().local_minus_utc() % 3600 == 0)
        });
        if whole_hours && self.cut_off.minute() == 0 && self.cut_off.second() == 0 {
            Grain::Hour
        } else {
            Grain::Quarter
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_plain_and_all_is_taken() {
        for good in ["main", "shop-2", "7"] {
            assert!(is_store_slug(good), "{good}");
        }
        for bad in ["", "all", "Main", "a--b", "-a", "a-", "a b", "a/b", "店", &"a".repeat(33)] {
            assert!(!is_store_slug(bad), "{bad}");
        }
    }
}
