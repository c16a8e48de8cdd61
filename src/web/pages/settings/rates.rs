use std::str::FromStr;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use chrono::NaiveDate;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::Deserialize;

use super::see;
use crate::domain::{ContractRate, Currency, RATE_PPM_MAX, Rounding, Store, Word, decimal_to_minor};
use crate::store::ContractEntry;
use crate::web::door::{SignedForm, Viewer};
use crate::web::error::WebError;
use crate::web::form::FieldErrors;
use crate::web::page::{Area, Page};
use crate::web::respond;
use crate::web::state::AppState;

/// Longest name of a provider or method on the wire.
const WORD_CHARS_MAX: usize = 32;
/// Millionths of one percent.
const PPM_PER_PERCENT: u32 = 10_000;

#[derive(Template)]
#[template(path = "pages/settings/rates.html")]
struct RatesPage {
    page: Page,
    is_owner: bool,
    rates: Vec<Line>,
    stores: Vec<Store>,
    errors: FieldErrors,
    typed: RateForm,
    /// Today in the first store, for ending a rate.
    today: NaiveDate,
}

/// A rate in the list.
struct Line {
    id: i64,
    rate: ContractRate,
    store: String,
    currency: Currency,
    from: String,
    /// Its last day; `None` while it lasts.
    until: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct RateForm {
    rate_store: String,
    provider: String,
    method: String,
    valid_from: String,
    percent: String,
    fixed: String,
    rounding: String,
}

impl RateForm {
    /// The rate that was typed in; `None` when a field is wrong, noted in `errors`.
    fn read(&self, stores: &[Store], errors: &mut FieldErrors) -> Option<ContractRate> {
        let store = stores.iter().find(|store| store.slug == self.rate_store);
        if store.is_none() {
            errors.add("rate_store", "form-required");
        }
        let provider = self.provider.trim();
        if !is_word(provider) {
            errors.add("provider", "rate-word-wrong");
        }
        let method = Some(self.method.trim()).filter(|method| !method.is_empty());
        if method.is_some_and(|method| !is_word(method)) {
            errors.add("method", "rate-word-wrong");
        }
        let valid_from = self.valid_from.parse().ok();
        if valid_from.is_none() {
            errors.add("valid_from", "rate-day-wrong");
        }
        let rate_ppm = ppm_of(&self.percent);
        if rate_ppm.is_none() {
            errors.add("percent", "rate-percent-wrong");
        }
        let fixed_minor = store.and_then(|store| minor_of(&self.fixed, store.currency));
        if fixed_minor.is_none() {
            errors.add("fixed", "rate-fixed-wrong");
        }
        if !errors.is_empty() {
            return None;
        }
        Some(ContractRate {
            store: store?.id,
            provider: Word::of(provider),
            method: method.map(Word::of),
            valid_from: valid_from?,
            valid_until: None,
            rate_ppm: rate_ppm?,
            fixed_minor: fixed_minor?,
            rounding: Rounding::parse(&self.rounding).unwrap_or_default(),
        })
    }
}

/// A provider or method as records write it.
fn is_word(text: &str) -> bool {
    (1..=WORD_CHARS_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

/// Percent as typed, in millionths; `None` unless it is exact and 0 to 100.
fn ppm_of(percent: &str) -> Option<u32> {
    let typed = Decimal::from_str(percent.trim().trim_end_matches('%').trim_end()).ok()?;
    let ppm = typed.checked_mul(Decimal::from(PPM_PER_PERCENT))?;
    ppm.is_integer().then(|| ppm.to_u32()).flatten().filter(|ppm| *ppm <= RATE_PPM_MAX)
}

/// An amount as typed, in minor units; empty is nothing, `None` unless it is exact and not negative.
fn minor_of(amount: &str, currency: Currency) -> Option<i64> {
    let amount = amount.trim();
    if amount.is_empty() {
        return Some(0);
    }
    let major = Decimal::from_str(amount).ok().filter(|major| !major.is_sign_negative())?;
    if major.normalize().scale() > currency.exponent() {
        return None;
    }
    decimal_to_minor(major, currency).ok()
}

async fn render(
    request: &HttpRequest,
    state: &AppState,
    viewer: &Viewer,
    at: &str,
    (typed, errors): (RateForm, FieldErrors),
) -> Result<HttpResponse, WebError> {
    let status = if errors.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let entries = state.database.contract_rates().await?;
    let mut page = viewer.page(request, at, Area::Settings)?;
    let rates = entries.into_iter().filter_map(|entry| line_of(entry, viewer, &page)).collect();
    let now = state.clock.now();
    let today = viewer
        .stores()
        .first()
        .map_or_else(|| now.date_naive(), |store| crate::domain::business_day_of(store, now));
    page.several_currencies = true;
    let body =
        RatesPage { page, is_owner: true, rates, stores: viewer.stores().to_vec(), errors, typed, today }
            .render()?;
    Ok(respond::html(request, status, body))
}

fn line_of(entry: ContractEntry, viewer: &Viewer, page: &Page) -> Option<Line> {
    let store = viewer.stores().iter().find(|store| store.id == entry.rate.store)?;
    let rate = entry.rate;
    Some(Line {
        id: entry.id,
        store: store.name.clone(),
        currency: store.currency,
        from: page.day(rate.valid_from),
        until: rate.valid_until.map(|day| page.day(day)),
        rate,
    })
}

/// `GET /s/{store}/settings/rates`.
async fn list(
    request: HttpRequest,
    viewer: Viewer,
    path: web::Path<String>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    viewer.require_owner()?;
    render(&request, &state, &viewer, &path, (RateForm::default(), FieldErrors::default())).await
}

/// `POST /s/{store}/settings/rates`.
async fn add(
    request: HttpRequest,
    form: SignedForm<RateForm>,
    path: web::Path<String>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    let SignedForm { viewer, fields } = form;
    viewer.require_owner()?;
    let mut errors = FieldErrors::default();
    let Some(rate) = fields.read(viewer.stores(), &mut errors) else {
        return render(&request, &state, &viewer, &path, (fields, errors)).await;
    };
    let id = state.database.insert_contract_rate(&rate, state.clock.now()).await?;
    tracing::info!(person = viewer.person.id.0, rate = id, "a contract rate was added");
    Ok(see(&path, "/rates"))
}

#[derive(Deserialize)]
struct EndForm {
    rate: i64,
    last_day: String,
}

/// `POST /s/{store}/settings/rates/end`: the rate holds until that day, the day included.
async fn end(
    request: HttpRequest,
    form: SignedForm<EndForm>,
    path: web::Path<String>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    let SignedForm { viewer, fields } = form;
    viewer.require_owner()?;
    let entries = state.database.contract_rates().await?;
    let is_own = entries.iter().any(|entry| {
        entry.id == fields.rate && viewer.stores().iter().any(|store| store.id == entry.rate.store)
    });
    if !is_own {
        return Err(WebError::NotFound);
    }
    let ended = match fields.last_day.parse() {
        Ok(day) => state.database.end_contract_rate(fields.rate, day).await?,
        Err(_) => false,
    };
    if !ended {
        let mut errors = FieldErrors::default();
        errors.add("rates", "rate-end-wrong");
        return render(&request, &state, &viewer, &path, (RateForm::default(), errors)).await;
    }
    tracing::info!(person = viewer.person.id.0, rate = fields.rate, "a contract rate was ended");
    Ok(see(&path, "/rates"))
}

pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/s/{store}/settings/rates").get(list).post(add))
        .service(web::resource("/s/{store}/settings/rates/end").post(end));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_exactly_or_not_at_all() {
        for (typed, ppm) in [
            ("0.6", Some(6_000)),
            ("0.38 %", Some(3_800)),
            ("2.9%", Some(29_000)),
            ("100", Some(RATE_PPM_MAX)),
            ("0.0001", Some(1)),
            ("0", Some(0)),
            ("0.00001", None),
            ("100.1", None),
            ("-1", None),
            ("six", None),
            ("", None),
        ] {
            assert_eq!(ppm_of(typed), ppm, "{typed}");
        }
        for (typed, minor) in
            [("", Some(0)), ("0.30", Some(30)), ("0.300", Some(30)), ("0.305", None), ("-1", None)]
        {
            assert_eq!(minor_of(typed, Currency::CNY), minor, "{typed}");
        }
    }
}
