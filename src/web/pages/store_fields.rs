use chrono::{NaiveTime, Weekday};
use chrono_tz::Tz;
use serde::Deserialize;

use crate::domain::{Currency, OrganisationId, Store, is_store_slug};
use crate::store::{StoreChange, StoreDraft};
use crate::web::form::{self, FieldErrors};
use crate::web::texts::Language;

/// Characters of a store's name.
const NAME_CHARS_MAX: usize = 80;

/// Zones offered while typing; every zone of the time zone database is accepted.
pub const ZONES: [&str; 24] = [
    "Asia/Shanghai",
    "Asia/Hong_Kong",
    "Asia/Taipei",
    "Asia/Singapore",
    "Asia/Tokyo",
    "Asia/Seoul",
    "Asia/Bangkok",
    "Asia/Kuala_Lumpur",
    "Asia/Kolkata",
    "Asia/Dubai",
    "Australia/Sydney",
    "Pacific/Auckland",
    "Europe/London",
    "Europe/Paris",
    "Europe/Berlin",
    "Europe/Madrid",
    "Europe/Istanbul",
    "Africa/Johannesburg",
    "America/Sao_Paulo",
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Los_Angeles",
    "UTC",
];

/// Currencies offered while typing; every one of ISO 4217 is accepted.
pub const CURRENCIES: [&str; 14] =
    ["CNY", "HKD", "TWD", "USD", "EUR", "GBP", "JPY", "KRW", "SGD", "AUD", "THB", "MYR", "INR", "USDT"];

/// A store as typed into a form.
#[derive(Clone, Debug, Deserialize)]
pub struct StoreFields {
    pub store_name: String,
    #[serde(default)]
    pub slug: String,
    pub zone: String,
    pub cut_off: String,
    pub week_start: String,
    #[serde(default)]
    pub currency: String,
    pub language: String,
}

impl StoreFields {
    /// What an empty form holds.
    pub fn blank(language: Language) -> Self {
        let (zone, currency) = match language {
            Language::Chinese => ("Asia/Shanghai", "CNY"),
            Language::English => ("", ""),
        };
        Self {
            store_name: String::new(),
            slug: String::new(),
            zone: zone.to_owned(),
            cut_off: "00:00".to_owned(),
            week_start: "0".to_owned(),
            currency: currency.to_owned(),
            language: language.tag().to_owned(),
        }
    }

    /// The fields of a store that is there.
    pub fn of(store: &Store) -> Self {
        Self {
            store_name: store.name.clone(),
            slug: store.slug.clone(),
            zone: store.zone.name().to_owned(),
            cut_off: store.cut_off.format("%H:%M").to_string(),
            week_start: store.week_start.num_days_from_monday().to_string(),
            currency: store.currency.code().to_owned(),
            language: store.language.clone(),
        }
    }

    /// What may change of a store; `None` when a field is wrong, noted in `errors`.
    pub fn change(&self, errors: &mut FieldErrors) -> Option<StoreChange> {
        let name = form::text(errors, "store_name", &self.store_name, NAME_CHARS_MAX);
        let zone = self.zone.trim().parse::<Tz>().ok();
        let cut_off = NaiveTime::parse_from_str(self.cut_off.trim(), "%H:%M").ok();
        let week_start = self.week_start.parse::<u8>().ok().and_then(|day| Weekday::try_from(day).ok());
        let language = Language::ALL.into_iter().find(|language| language.tag() == self.language);
        if zone.is_none() {
            errors.add("zone", "store-zone-wrong");
        }
        if cut_off.is_none() {
            errors.add("cut_off", "store-cut-off-wrong");
        }
        if week_start.is_none() || language.is_none() {
            errors.add("week_start", "form-required");
        }
        if !errors.is_empty() {
            return None;
        }
        let language = language?.tag().to_owned();
        Some(StoreChange { name, zone: zone?, cut_off: cut_off?, week_start: week_start?, language })
    }

    /// A new store; `None` when a field is wrong, noted in `errors`.
    pub fn draft(&self, organisation: OrganisationId, errors: &mut FieldErrors) -> Option<StoreDraft> {
        let slug = self.slug.trim().to_owned();
        if !is_store_slug(&slug) {
            errors.add("slug", "store-slug-wrong");
        }
        let currency = Currency::parse(self.currency.trim());
        if currency.is_err() {
            errors.add("currency", "store-currency-wrong");
        }
        let change = self.change(errors)?;
        Some(StoreDraft {
            organisation,
            slug,
            name: change.name,
            zone: change.zone,
            cut_off: change.cut_off,
            week_start: change.week_start,
            currency: currency.ok()?,
            language: change.language,
        })
    }

    /// True for the language that is chosen.
    pub fn is_language(&self, language: Language) -> bool {
        self.language == language.tag()
    }

    /// Days a week may begin with: number, key of the name, whether it is chosen.
    pub fn week_starts(&self) -> Vec<(u8, String, bool)> {
        [0_u8, 5, 6]
            .into_iter()
            .map(|day| (day, format!("week-begins-{day}"), self.week_start == day.to_string()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wrong_field_is_named() {
        let right = StoreFields {
            store_name: "总店".into(),
            slug: "main".into(),
            ..StoreFields::blank(Language::Chinese)
        };
        let mut errors = FieldErrors::default();
        assert!(right.draft(OrganisationId(1), &mut errors).is_some() && errors.is_empty());
        for (field, wrong) in [
            ("store_name", StoreFields { store_name: " ".into(), ..right.clone() }),
            ("slug", StoreFields { slug: "all".into(), ..right.clone() }),
            ("zone", StoreFields { zone: "Mars/Olympus".into(), ..right.clone() }),
            ("cut_off", StoreFields { cut_off: "25:00".into(), ..right.clone() }),
            ("currency", StoreFields { currency: "cny".into(), ..right.clone() }),
        ] {
            let mut errors = FieldErrors::default();
            assert!(wrong.draft(OrganisationId(1), &mut errors).is_none(), "{field}");
            assert!(errors.of(field).is_some(), "{field}: {errors:?}");
        }
    }
}
