//! A table of the sample with a choice above each column, what would come of it, and the button that keeps it.

use std::collections::HashMap;
use std::path::PathBuf;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use chrono::DateTime;
use chrono_tz::Tz;
use serde::Deserialize;

use super::super::pending::{examined, pending_of};
use super::super::{reason_of, waiting};
use crate::domain::{Currency, Instant, LedgerLine, Store, StoreId};
use crate::intake::Pseudonyms;
use crate::intake::bills::{Opening, Refusal, RejectedLine, Spool, SpoolError};
use crate::intake::mapping::guess::{ColumnRole, Draft, Preview, Sample, Source, TIME_FORMATS, preview};
use crate::intake::mapping::{LineMapping, Mapping, MappingContext, is_slug};
use crate::store::{MappingDraft, PendingImport};
use crate::web::door::{SignedForm, Viewer};
use crate::web::error::WebError;
use crate::web::form::{self, FieldErrors};
use crate::web::page::{Area, Page};
use crate::web::respond;
use crate::web::state::AppState;

/// Rows of the sample that are shown as they stand.
const SAMPLE_SHOWN_MAX: usize = 8;
/// Rows that are shown as they will be read.
const PREVIEW_ROWS_MAX: usize = 20;
const NAME_CHARS_MAX: usize = 80;
const ACCOUNT_CHARS_MAX: usize = 128;
const WORDS_CHARS_MAX: usize = 400;
/// 20 November 2026, 09:15:00 in Beijing: how a format looks.
const EXAMPLE_MS: i64 = 1_795_137_300_000;

#[derive(Template)]
#[template(path = "pages/mapping.html")]
struct EditorPage {
    page: Page,
    pending: PendingImport,
    sample: Sample,
    roles: Vec<ColumnRole>,
    typed: Typed,
    errors: FieldErrors,
    /// Why the choices make no mapping.
    refusal: String,
    preview: Option<Preview>,
    zone: Tz,
}

/// What was typed below the table.
#[derive(Clone, Debug, Default)]
struct Typed {
    name: String,
    source: String,
    provider: String,
    account: String,
    zone: String,
    currency: String,
    format: String,
    refunds: String,
    stores: String,
}

impl EditorPage {
    fn columns(&self) -> impl Iterator<Item = (usize, &String, &ColumnRole)> {
        let columns = self.sample.columns.iter().zip(&self.roles).enumerate();
        columns.map(|(place, (name, role))| (place, name, role))
    }

    fn rows(&self) -> impl Iterator<Item = &Vec<String>> {
        self.sample.rows.iter().take(SAMPLE_SHOWN_MAX)
    }

    fn role_name(&self, role: ColumnRole) -> String {
        self.page.t(&format!("mapping-role-{}", role.as_str()))
    }

    /// A format as it looks.
    fn example(format: &str) -> String {
        let zone = chrono_tz::Asia::Shanghai;
        let at = DateTime::from_timestamp_millis(EXAMPLE_MS).unwrap_or_default();
        at.with_timezone(&zone).format(format).to_string()
    }

    fn kind(&self, row: &LedgerLine) -> String {
        let word = row.kind.as_str();
        self.page.language.find(&format!("ledger-{word}")).unwrap_or_else(|| self.page.word("kind", word))
    }

    fn net(&self, row: &LedgerLine) -> String {
        self.page.money(row.net, row.currency)
    }

    fn fee(&self, row: &LedgerLine) -> String {
        self.page.money(row.fee, row.currency)
    }

    fn reason(&self, line: &RejectedLine) -> String {
        reason_of(&self.page, line.code.as_str(), &line.sentence)
    }
}

impl Typed {
    fn of_form(fields: &HashMap<String, String>) -> Self {
        let get = |name: &str| fields.get(name).map(|text| text.trim().to_owned()).unwrap_or_default();
        Self {
            name: get("name"),
            source: get("source"),
            provider: get("provider"),
            account: get("account"),
            zone: get("zone"),
            currency: get("currency"),
            format: get("format"),
            refunds: get("refunds"),
            stores: get("stores"),
        }
    }

    /// What an untouched form holds.
    fn of_sample(sample: &Sample, roles: &[ColumnRole], store: &Store, pending: &PendingImport) -> Self {
        let name = pending.file_name.rsplit_once('.').map_or(pending.file_name.as_str(), |(stem, _)| stem);
        let is_bank = roles.contains(&ColumnRole::In) && roles.contains(&ColumnRole::Out);
        let source = if is_bank { Source::Bank } else { Source::Payments };
        Self {
            name: name.chars().take(NAME_CHARS_MAX).collect(),
            source: source.as_str().to_owned(),
            provider: if is_bank { "bank" } else { "" }.to_owned(),
            account: pending.account.clone(),
            zone: store.zone.name().to_owned(),
            currency: store.currency.code().to_owned(),
            format: sample.guess_format(roles).unwrap_or(TIME_FORMATS[0]).to_owned(),
            refunds: String::new(),
            stores: String::new(),
        }
    }

    /// The choices as a draft; `None` when a field is wrong, noted in `errors`.
    fn draft(&self, sample: &Sample, roles: &[ColumnRole], errors: &mut FieldErrors) -> Option<Draft> {
        let name = form::text(errors, "name", &self.name, NAME_CHARS_MAX);
        let source = Source::parse(&self.source);
        if source.is_none() {
            errors.add("source", "form-required");
        }
        if !self.provider.is_empty() && !is_slug(&self.provider) {
            errors.add("provider", "rate-word-wrong");
        }
        let zone: Option<Tz> = self.zone.parse().ok();
        if zone.is_none() {
            errors.add("zone", "mapping-zone-wrong");
        }
        let currency = Currency::parse(&self.currency.to_uppercase()).ok();
        if currency.is_none() {
            errors.add("currency", "mapping-currency-wrong");
        }
        if self.account.chars().count() > ACCOUNT_CHARS_MAX {
            errors.add("account", "form-too-long");
        }
        for (field, text) in [("refunds", &self.refunds), ("stores", &self.stores)] {
            if text.chars().count() > WORDS_CHARS_MAX {
                errors.add(field, "form-too-long");
            }
        }
        if !TIME_FORMATS.contains(&self.format.as_str()) {
            errors.add("format", "form-required");
        }
        if !errors.is_empty() {
            return None;
        }
        let account = if self.account.is_empty() { "default" } else { &self.account };
        Some(Draft {
            name,
            source: source?,
            provider: self.provider.clone(),
            account: account.to_owned(),
            zone: zone?,
            currency: currency?,
            time_format: self.format.clone(),
            delimiter: sample.delimiter,
            columns: sample.columns.iter().cloned().zip(roles.iter().copied()).collect(),
            refund_words: words(&self.refunds),
            store_words: words(&self.stores),
        })
    }
}

/// Words between commas of either kind.
fn words(text: &str) -> Vec<String> {
    let pieces = text.split([',', '，', '、', ';', '；']).map(str::trim);
    pieces.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// What is needed to read the sample, away from the thread that answers.
struct Reading {
    path: PathBuf,
    store: StoreId,
    now: Instant,
    pseudonyms: std::sync::Arc<Pseudonyms>,
}

impl Reading {
    fn of(state: &AppState, pending: &PendingImport) -> Result<Self, WebError> {
        let path = waiting::path_of(state, pending)?.ok_or(WebError::NotFound)?;
        let pseudonyms = std::sync::Arc::clone(&state.pseudonyms);
        Ok(Self { path, store: pending.store, now: state.clock.now(), pseudonyms })
    }

    fn spool(&self, mapping: Option<&Mapping>) -> Result<Spool, SpoolError> {
        let scratch = self.path.parent().unwrap_or(&self.path);
        let fits = |head: &[String]| mapping.is_some_and(|mapping| mapping.fits(head));
        Spool::open(&self.path, scratch, Opening { fits: Some(&fits), ..Opening::default() })
    }

    fn sample(&self) -> Result<Sample, SpoolError> {
        Sample::of(&self.spool(None)?)
    }

    fn preview(&self, mapping: &LineMapping) -> Result<Preview, SpoolError> {
        let spool = self.spool(Some(&Mapping::of_lines(mapping.clone())?))?;
        let context =
            MappingContext { store: self.store, now: self.now, file: "", pseudonyms: &self.pseudonyms };
        preview(&spool, mapping, &context, PREVIEW_ROWS_MAX)
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SpoolError> + Send + 'static,
) -> Result<Result<T, Refusal>, WebError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(done)) => Ok(Ok(done)),
        Ok(Err(SpoolError::Refused(refusal))) => Ok(Err(refusal)),
        Ok(Err(SpoolError::Io(error))) => Err(WebError::Internal(error.into())),
        Err(died) => Err(WebError::Internal(died.into())),
    }
}

async fn sample_of(state: &AppState, pending: &PendingImport) -> Result<Sample, WebError> {
    let reading = Reading::of(state, pending)?;
    let sample = blocking(move || reading.sample()).await?;
    sample.map_err(|refusal| WebError::rejected(refusal.code(), refusal.sentence_en()))
}

#[derive(Deserialize)]
pub(super) struct Asked {
    pending: i64,
}

/// `GET /s/{store}/imports/mappings/new?pending={id}`
pub(super) async fn show(
    request: HttpRequest,
    viewer: Viewer,
    slug: web::Path<String>,
    asked: web::Query<Asked>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    let (store, pending) = pending_of(&viewer, &state, &slug, asked.pending).await?;
    let sample = sample_of(&state, &pending).await?;
    let roles = sample.guess();
    let typed = Typed::of_sample(&sample, &roles, &store, &pending);
    let page = viewer.page(&request, &slug, Area::Imports)?;
    let (errors, refusal) = (FieldErrors::default(), String::new());
    let body =
        EditorPage { page, pending, sample, roles, typed, errors, refusal, preview: None, zone: store.zone }
            .render()?;
    Ok(respond::html(&request, StatusCode::OK, body))
}

/// `POST /s/{store}/imports/mappings/new`: shows what would come of the choices, or keeps them.
pub(super) async fn receive(
    request: HttpRequest,
    form: SignedForm<HashMap<String, String>>,
    slug: web::Path<String>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    let SignedForm { viewer, fields } = form;
    let id = fields.get("pending").and_then(|id| id.parse().ok()).ok_or(WebError::BadRequest)?;
    let (store, pending) = pending_of(&viewer, &state, &slug, id).await?;
    let sample = sample_of(&state, &pending).await?;
    let chosen = |place: usize| fields.get(&format!("c{place}")).and_then(|role| ColumnRole::parse(role));
    let roles: Vec<ColumnRole> =
        (0..sample.columns.len()).map(|place| chosen(place).unwrap_or(ColumnRole::Ignored)).collect();
    let typed = Typed::of_form(&fields);
    let mut errors = FieldErrors::default();
    let mut page = viewer.page(&request, &slug, Area::Imports)?;
    let refused = |refusal: &Refusal| {
        super::super::sentence_of(page.language, &refusal.sentence_en(), &refusal.sentence_zh())
    };
    let (mut refusal, mut shown) = (String::new(), None);
    if let Some(draft) = typed.draft(&sample, &roles, &mut errors) {
        match draft.mapping() {
            Err(wrong) => refusal = refused(&wrong),
            Ok(mapping) => {
                let reading = Reading::of(&state, &pending)?;
                let asked = mapping.clone();
                match blocking(move || reading.preview(&asked)).await? {
                    Err(wrong) => refusal = refused(&wrong),
                    Ok(_) if fields.get("act").is_some_and(|act| act == "save") => {
                        return save(&state, &viewer, &store, &pending, &mapping).await;
                    }
                    Ok(preview) => shown = Some(preview),
                }
            }
        }
    }
    let is_good = errors.is_empty() && refusal.is_empty();
    let status = if is_good { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    page.several_currencies = roles.contains(&ColumnRole::Currency);
    let body =
        EditorPage { page, pending, sample, roles, typed, errors, refusal, preview: shown, zone: store.zone };
    Ok(respond::html(&request, status, body.render()?))
}

/// Keeps the mapping and reads the waiting file again, which it now fits.
async fn save(
    state: &AppState,
    viewer: &Viewer,
    store: &Store,
    pending: &PendingImport,
    mapping: &LineMapping,
) -> Result<HttpResponse, WebError> {
    let text = toml::to_string(mapping).map_err(|error| WebError::Internal(error.into()))?;
    let draft = MappingDraft { store: store.id, name: mapping.name.clone(), text, person: viewer.person.id };
    let saved = state.database.save_mapping(&draft, state.clock.now()).await?;
    if saved.is_none() {
        return Err(WebError::Conflict);
    }
    examined(state, store, pending).await
}
