use std::collections::BTreeSet;

use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use rust_decimal::Decimal;
use serde::Deserialize;

use super::books::{AskedDays, Books};
use super::shown::account_name;
use crate::analytics::reconciliation::{
    ANY_ACCOUNT, AccountRules, BANK, CYCLE_DAYS_MAX, Reference, is_own_book,
};
use crate::domain::{Currency, Store, StoreId, Word, decimal_to_minor};
use crate::web::door::{SignedForm, Viewer};
use crate::web::error::WebError;
use crate::web::form::FieldErrors;
use crate::web::page::{Area, Page};
use crate::web::respond;
use crate::web::state::AppState;

/// Longest text of a bank, and longest account.
const TEXT_CHARS_MAX: usize = 128;
/// Millionths of one percent.
const PPM_PER_PERCENT: u32 = 10_000;
/// A tolerance of more than this share lets real differences pass.
const TOLERANCE_PPM_MAX: u32 = 50_000;

#[derive(Template)]
#[template(path = "pages/reconciliation/accounts.html")]
struct AccountsPage<'a> {
    page: &'a Page,
    forms: Vec<Form>,
    errors: FieldErrors,
    back: String,
    action: String,
}

/// The form of one account.
struct Form {
    name: String,
    /// What holds now, in short.
    said: String,
    typed: AccountForm,
    /// Where the fields' errors belong.
    is_wrong: bool,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub struct AccountForm {
    pub(super) account_store: i64,
    pub(super) rail: String,
    pub(super) account: String,
    pub(super) cycle_days: String,
    #[serde(default)]
    pub(super) working_days: String,
    pub(super) tolerance: String,
    pub(super) tolerance_percent: String,
    pub(super) reference: String,
    pub(super) bank_account: String,
    pub(super) bank_text: String,
    pub(super) first_day: String,
}

impl AccountForm {
    fn of(rules: &AccountRules, currency: Currency) -> Self {
        Self {
            account_store: rules.store.0,
            rail: rules.rail.to_string(),
            account: rules.account.to_string(),
            cycle_days: rules.cycle_days.to_string(),
            working_days: if rules.working_days { "1".to_owned() } else { String::new() },
            tolerance: Decimal::new(rules.tolerance_minor, currency.exponent()).normalize().to_string(),
            tolerance_percent: (Decimal::from(rules.tolerance_ppm) / Decimal::from(PPM_PER_PERCENT))
                .normalize()
                .to_string(),
            reference: rules.reference.clone(),
            bank_account: rules.bank_account.clone(),
            bank_text: rules.bank_text.clone(),
            first_day: rules.first_day.map_or_else(String::new, |day| day.to_string()),
        }
    }

    /// The rules that were typed in; `None` when a field is wrong, noted in `errors`.
    fn read(&self, store: &Store, errors: &mut FieldErrors) -> Option<AccountRules> {
        let cycle_days = self.cycle_days.trim().parse::<u32>().ok().filter(|days| *days <= CYCLE_DAYS_MAX);
        if cycle_days.is_none() {
            errors.add("cycle_days", "recon-cycle-wrong");
        }
        let tolerance_minor = amount(&self.tolerance, store.currency);
        if tolerance_minor.is_none() {
            errors.add("tolerance", "recon-tolerance-wrong");
        }
        let tolerance_ppm = ppm(&self.tolerance_percent);
        if tolerance_ppm.is_none() {
            errors.add("tolerance_percent", "recon-tolerance-percent-wrong");
        }
        let reference = self.reference.trim();
        if !reference.is_empty() && Reference::parse(reference).is_none() {
            errors.add("reference", "recon-reference-wrong");
        }
        for (field, value) in [("bank_account", &self.bank_account), ("bank_text", &self.bank_text)] {
            if value.chars().count() > TEXT_CHARS_MAX || value.chars().any(char::is_control) {
                errors.add(field, "form-too-long");
            }
        }
        let first_day = match self.first_day.trim() {
            "" => None,
            typed => typed.parse().ok().or_else(|| {
                errors.add("first_day", "rate-day-wrong");
                None
            }),
        };
        if !errors.is_empty() {
            return None;
        }
        Some(AccountRules {
            store: store.id,
            rail: Word::of(&self.rail),
            account: Word::of(&self.account),
            cycle_days: cycle_days?,
            working_days: !self.working_days.is_empty(),
            tolerance_minor: tolerance_minor?,
            tolerance_ppm: tolerance_ppm?,
            reference: reference.to_owned(),
            bank_account: self.bank_account.trim().to_owned(),
            bank_text: self.bank_text.trim().to_owned(),
            first_day,
        })
    }
}

fn amount(typed: &str, currency: Currency) -> Option<i64> {
    let major: Decimal = if typed.trim().is_empty() { Decimal::ZERO } else { typed.trim().parse().ok()? };
    let exact = major.normalize().scale() <= currency.exponent() && !major.is_sign_negative();
    decimal_to_minor(major, currency).ok().filter(|_| exact)
}

fn ppm(typed: &str) -> Option<u32> {
    let percent: Decimal = if typed.trim().is_empty() { Decimal::ZERO } else { typed.trim().parse().ok()? };
    let ppm = percent.checked_mul(Decimal::from(PPM_PER_PERCENT))?;
    let whole =
        u32::try_from(i64::try_from(ppm.mantissa()).ok()?).ok().filter(|_| ppm.normalize().scale() == 0)?;
    let scale = 10_u32.checked_pow(ppm.scale())?;
    Some(whole / scale).filter(|ppm| *ppm <= TOLERANCE_PPM_MAX)
}

/// The accounts that books were seen of, and those with rules.
fn known(books: &Books) -> BTreeSet<(StoreId, Word, Word)> {
    let mut known: BTreeSet<(StoreId, Word, Word)> =
        books.rules.accounts.iter().map(|rules| (rules.store, rules.rail, rules.account)).collect();
    for bucket in books.kept.iter().flat_map(|day| &day.buckets) {
        let is_named = !bucket.account.is_none() || bucket.rail.as_str() == BANK;
        if !is_own_book(bucket.rail) && !bucket.rail.is_none() && is_named {
            known.insert((bucket.store, bucket.rail, bucket.account));
        }
    }
    let several = |one: &(StoreId, Word, Word)| {
        one.2.as_str() == ANY_ACCOUNT
            && known.iter().any(|other| (other.0, other.1) == (one.0, one.1) && other.2 != one.2)
    };
    let ruled = |one: &(StoreId, Word, Word)| {
        books.rules.accounts.iter().any(|rules| (rules.store, rules.rail, rules.account) == *one)
    };
    known.iter().filter(|one| books.ids.contains(&one.0) && (ruled(one) || !several(one))).copied().collect()
}

fn render(books: &Books, typed: Option<&AccountForm>, errors: FieldErrors) -> Result<String, WebError> {
    let page = &books.page;
    let forms = known(books)
        .into_iter()
        .filter_map(|(store, rail, account)| {
            let own = books.stores.iter().find(|one| one.id == store)?;
            let usual = AccountForm::of(&books.rules.of(store, rail, account), own.currency);
            let mine = |typed: &&&AccountForm| {
                (typed.account_store, typed.rail.as_str(), typed.account.as_str())
                    == (store.0, rail.as_str(), account.as_str())
            };
            let wrong = typed.as_ref().filter(mine).copied().cloned();
            Some(Form {
                name: account_name(page, &books.stores, (store, rail, account)),
                said: page.t_with("recon-cycle-said", &[("n", usual.cycle_days.as_str().into())]),
                is_wrong: wrong.is_some(),
                typed: AccountForm {
                    account_store: store.0,
                    rail: rail.to_string(),
                    account: account.to_string(),
                    ..wrong.unwrap_or(usual)
                },
            })
        })
        .collect();
    let back = page.area_url(Area::Reconciliation);
    let action = format!("{back}/accounts");
    Ok(AccountsPage { page, forms, errors, back, action }.render()?)
}

/// `GET /s/{store}/reconciliation/accounts`.
pub async fn list(
    request: HttpRequest,
    viewer: Viewer,
    store: web::Path<String>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    viewer.require_owner()?;
    let books = Books::of(&request, (&viewer, &state), &store, &AskedDays::default()).await?;
    Ok(respond::html(&request, StatusCode::OK, render(&books, None, FieldErrors::default())?))
}

/// `POST /s/{store}/reconciliation/accounts`: what one account agreed on. Everything is then reconciled again.
pub async fn replace(
    request: HttpRequest,
    form: SignedForm<AccountForm>,
    store: web::Path<String>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    let SignedForm { viewer, fields } = form;
    viewer.require_owner()?;
    let books = Books::of(&request, (&viewer, &state), &store, &AskedDays::default()).await?;
    let place = (StoreId(fields.account_store), Word::of(&fields.rail), Word::of(&fields.account));
    let own = books.stores.iter().find(|one| one.id == place.0).filter(|_| known(&books).contains(&place));
    let own = own.ok_or(WebError::NotFound)?;
    let mut errors = FieldErrors::default();
    let Some(rules) = fields.read(own, &mut errors) else {
        let body = render(&books, Some(&fields), errors)?;
        return Ok(respond::html(&request, StatusCode::UNPROCESSABLE_ENTITY, body));
    };
    state.database.replace_reconciliation_account(&rules).await?;
    tracing::info!(
        person = viewer.person.id.0,
        store = rules.store.0,
        "the rules of an account were changed"
    );
    let target = format!("/s/{store}/reconciliation/accounts");
    Ok(HttpResponse::SeeOther().insert_header((LOCATION, target)).finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tolerances_are_read_exactly_or_not_at_all() {
        for (typed, minor) in
            [("", Some(0)), ("0.01", Some(1)), ("1", Some(100)), ("0.001", None), ("-1", None)]
        {
            assert_eq!(amount(typed, Currency::CNY), minor, "{typed}");
        }
        for (typed, expected) in [
            ("", Some(0)),
            ("0.1", Some(1_000)),
            ("5", Some(50_000)),
            ("5.1", None),
            ("-1", None),
            ("x", None),
            ("0.00001", None),
        ] {
            assert_eq!(ppm(typed), expected, "{typed}");
        }
    }
}
