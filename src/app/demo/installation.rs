use chrono::{NaiveTime, Weekday};

use super::shops::SHOPS;
use crate::domain::{ContractRate, Instant, OrganisationId, Rounding, StoreId, Word};
use crate::store::{Database, StoreDraft, StoreError};

/// Who owns the demo's stores.
pub const ORGANISATION: &str = "三岸商行 Three Shores";

/// What the contracts say: store, provider, method, millionths, fixed part in minor units.
const CONTRACTS: [(usize, &str, Option<&str>, u32, i64); 13] = [
    (0, "wechat_pay", None, 3_800, 0),
    (0, "alipay", None, 6_000, 0),
    (0, "unionpay", None, 3_800, 0),
    (0, "chinaums", None, 6_000, 0),
    (0, "cash", None, 0, 0),
    (1, "wechat_pay", None, 3_800, 0),
    (1, "alipay", None, 3_800, 0),
    (1, "unionpay", None, 3_800, 0),
    (1, "chinaums", None, 6_000, 0),
    (1, "cash", None, 0, 0),
    (2, "stripe", None, 15_000, 20),
    (2, "paypal", None, 29_000, 30),
    (2, "truelayer", None, 0, 25),
];

/// Adds the organisation and its three stores, in the order of [`SHOPS`].
///
/// # Errors
/// [`StoreError`].
pub async fn add_stores(database: &Database, now: Instant) -> Result<[StoreId; 3], StoreError> {
    let organisation = match database.organisation().await? {
        Some(known) => known.id,
        None => database.insert_organisation(ORGANISATION, now).await?,
    };
    let mut stores = [StoreId(0); 3];
    for (place, id) in stores.iter_mut().enumerate() {
        *id = database.insert_store(&draft(organisation, place), now).await?.id;
    }
    Ok(stores)
}

/// Adds what the stores agreed with their providers, long before the history begins.
///
/// # Errors
/// [`StoreError`].
pub async fn add_contracts(
    database: &Database,
    stores: [StoreId; 3],
    now: Instant,
) -> Result<(), StoreError> {
    let valid_from = now.date_naive().checked_sub_days(chrono::Days::new(700)).unwrap_or_default();
    for (place, provider, method, rate_ppm, fixed_minor) in CONTRACTS {
        let rate = ContractRate {
            store: stores[place],
            provider: Word::of(provider),
            method: method.map(Word::of),
            valid_from,
            valid_until: None,
            rate_ppm,
            fixed_minor,
            rounding: Rounding::HalfUp,
        };
        database.insert_contract_rate(&rate, now).await?;
    }
    Ok(())
}

fn draft(organisation: OrganisationId, place: usize) -> StoreDraft {
    let shop = &SHOPS[place];
    StoreDraft {
        organisation,
        slug: shop.slug.to_owned(),
        name: shop.name.to_owned(),
        zone: shop.zone,
        cut_off: NaiveTime::from_hms_opt(shop.cut_off_hour, 0, 0).unwrap_or(NaiveTime::MIN),
        week_start: Weekday::Mon,
        currency: shop.currency(),
        language: shop.language.to_owned(),
    }
}
