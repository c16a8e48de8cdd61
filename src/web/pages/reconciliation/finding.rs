use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use chrono::NaiveDate;
use serde::Deserialize;

use super::books::{AskedDays, Books, back};
use super::shown::{FindingRow, account_name, day_url, finding_row, finding_url, name_of, signed, tone};
use crate::analytics::reconciliation::{Action, ActionKind, Entry, EntryKind, Finding, OPEN_DAYS, Standing};
use crate::domain::{RecordKey, Store};
use crate::reports::reconciliation::find;
use crate::web::door::{SignedForm, Viewer};
use crate::web::error::WebError;
use crate::web::form::{FieldErrors, text};
use crate::web::numbers::NONE;
use crate::web::page::{Area, Page};
use crate::web::respond;
use crate::web::state::AppState;

/// Longest reason.
const REASON_CHARS_MAX: usize = 500;
/// So many possible partners are offered.
const PARTNERS_MAX: usize = 20;

#[derive(Clone, Debug, Default, Deserialize)]
pub struct Hint {
    #[serde(default)]
    day: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub struct ActForm {
    kind: String,
    #[serde(default)]
    other: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    day: String,
}

#[derive(Template)]
#[template(path = "pages/reconciliation/finding.html")]
struct FindingPage<'a> {
    page: &'a Page,
    name: String,
    class: (String, &'static str),
    about: String,
    account: String,
    day: NaiveDate,
    day_name: String,
    day_url: String,
    back: String,
    here: String,
    /// Field, the shop's, the bill's, and whether they differ.
    fields: Vec<(String, String, String, bool)>,
    sums: Vec<(String, String)>,
    transaction_url: Option<String>,
    /// Findings that it may be matched with, the suggested one first.
    partners: Vec<(String, FindingRow)>,
    can_unmatch: bool,
    can_accept: bool,
    history: Vec<(String, String, String, String)>,
    errors: FieldErrors,
    reason: String,
}

/// `GET /s/{store}/reconciliation/findings/{id}`: both sides beside each other, and what may be done.
pub async fn show(
    request: HttpRequest,
    viewer: Viewer,
    path: web::Path<(String, String)>,
    hint: web::Query<Hint>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    let (store, id) = path.into_inner();
    let id = RecordKey::parse(&id).ok_or(WebError::NotFound)?;
    let books = books_near(&request, (&viewer, &state), &store, &hint.day).await?;
    let body = render(&books, id, (FieldErrors::default(), String::new()))?;
    Ok(respond::html(&request, StatusCode::OK, body))
}

/// The books of the days on which a finding's other half may stand.
async fn books_near(
    request: &HttpRequest,
    at: (&Viewer, &AppState),
    store: &str,
    day: &str,
) -> Result<Books, WebError> {
    let day: NaiveDate = day.parse().map_err(|_| WebError::NotFound)?;
    let last = day.checked_add_days(chrono::Days::new(OPEN_DAYS)).unwrap_or(day);
    let asked = AskedDays { from: back(day, OPEN_DAYS).to_string(), to: last.to_string() };
    Books::of(request, at, store, &asked).await
}

fn visible(books: &Books, id: RecordKey) -> Result<(NaiveDate, &Finding), WebError> {
    find(&books.kept, id).filter(|(_, finding)| books.ids.contains(&finding.store)).ok_or(WebError::NotFound)
}

fn render(books: &Books, id: RecordKey, (errors, reason): (FieldErrors, String)) -> Result<String, WebError> {
    let page = &books.page;
    let (day, finding) = visible(books, id)?;
    let class = finding.class_at(books.now);
    let closed = finding.closed.as_ref().map(|closed| &*closed.with);
    let shop = finding.shop.as_ref().or(closed.filter(|_| finding.bill.is_some()));
    let bill = finding.bill.as_ref().or(closed.filter(|_| finding.shop.is_some()));
    let record = shop.filter(|entry| !entry.witness);
    let body = FindingPage {
        page,
        name: name_of(page, finding),
        class: (page.word("recon-class", class.as_str()), tone(class)),
        about: page.word("recon-about", class.as_str()),
        account: account_name(page, &books.stores, (finding.store, finding.rail, finding.account)),
        day,
        day_name: page.day(day),
        day_url: day_url(page, day),
        back: books.url("/exceptions"),
        here: finding_url(books, day, finding),
        fields: fields(books, shop, bill),
        sums: sums(page, finding),
        transaction_url: record
            .map(|entry| format!("{}/{}?day={}", page.area_url(Area::Transactions), entry.key, entry.filed)),
        partners: partners(books, day, finding),
        can_unmatch: finding.can_be_parted(),
        can_accept: class.is_exception(),
        history: history(books, finding),
        errors,
        reason,
    };
    Ok(body.render()?)
}

fn sums(page: &Page, finding: &Finding) -> Vec<(String, String)> {
    let currency = finding.currency;
    let mut sums = vec![
        (page.t("recon-gap"), signed(page, finding.difference(), currency)),
        (page.t("recon-stake"), page.money(finding.stake(), currency)),
    ];
    if finding.fee_minor != 0 {
        sums.push((page.t("recon-fee-off"), signed(page, finding.fee_minor, currency)));
    }
    if let Some(because) = finding.because {
        let word = format!("{because:?}").to_lowercase();
        sums.push((page.t("recon-because"), page.word("recon-because", &word)));
    }
    sums
}

/// A field's name, and how it is written.
type Field<'f> = (&'static str, Box<dyn Fn(&Entry) -> String + 'f>);

/// Both sides field by field.
fn fields(books: &Books, shop: Option<&Entry>, bill: Option<&Entry>) -> Vec<(String, String, String, bool)> {
    let page = &books.page;
    let store = |entry: &Entry| books.stores.iter().find(|store| store.id == entry.store);
    let zone = |entry: &Entry| store(entry).map_or(chrono_tz::Tz::UTC, |store: &Store| store.zone);
    let all: [Field; 12] = [
        ("recon-field-amount", Box::new(|entry| page.money(entry.signed(), entry.currency))),
        ("recon-field-currency", Box::new(|entry| entry.currency.code().to_owned())),
        ("recon-field-kind", Box::new(|entry| page.word("recon-kind", kind_word(entry.kind)))),
        (
            "recon-field-standing",
            Box::new(|entry| page.word("recon-standing", standing_word(entry.standing))),
        ),
        (
            "recon-field-time",
            Box::new(|entry| page.when(crate::domain::instant_from_ms(entry.at_ms), zone(entry))),
        ),
        ("recon-field-day", Box::new(|entry| page.day(entry.day))),
        ("recon-field-order", Box::new(|entry| entry.order_id.clone())),
        ("recon-field-provider-id", Box::new(|entry| entry.provider_id.clone())),
        ("recon-field-id", Box::new(|entry| entry.id.clone())),
        ("recon-field-fee", Box::new(|entry| page.money(entry.fee, entry.currency))),
        (
            "recon-field-store",
            Box::new(|entry| store(entry).map_or_else(String::new, |store| store.name.clone())),
        ),
        ("recon-field-text", Box::new(|entry| entry.text.clone())),
    ];
    let shown =
        |value: Option<String>| value.filter(|text| !text.is_empty()).unwrap_or_else(|| NONE.to_owned());
    let compared = ["recon-field-amount", "recon-field-currency", "recon-field-standing", "recon-field-day"];
    all.into_iter()
        .map(|(name, of)| {
            let (left, right) = (shown(shop.map(&of)), shown(bill.map(&of)));
            let differs = compared.contains(&name) && shop.is_some() && bill.is_some() && left != right;
            (page.t(name), left, right, differs)
        })
        .filter(|(_, left, right, _)| left != NONE || right != NONE)
        .collect()
}

const fn kind_word(kind: EntryKind) -> &'static str {
    match kind {
        EntryKind::Sale => "sale",
        EntryKind::Refund => "refund",
        EntryKind::Dispute => "dispute",
        EntryKind::Fee => "fee",
        EntryKind::Movement => "movement",
        EntryKind::Payout => "payout",
    }
}

const fn standing_word(standing: Standing) -> &'static str {
    match standing {
        Standing::Posted => "posted",
        Standing::UnderWay => "under_way",
        Standing::Dead => "dead",
    }
}

/// Open findings of the other side: the suggested one, then those of the nearest amount.
fn partners(books: &Books, day: NaiveDate, finding: &Finding) -> Vec<(String, FindingRow)> {
    if !finding.is_open() {
        return Vec::new();
    }
    let mut found: Vec<(NaiveDate, &Finding)> = books
        .kept
        .iter()
        .flat_map(|own| own.findings.iter().map(|one| (own.day, one)))
        .filter(|(_, one)| {
            one.is_open()
                && one.shop.is_some() != finding.shop.is_some()
                && one.currency == finding.currency
                && books.ids.contains(&one.store)
        })
        .collect();
    found.sort_by_key(|(other, one)| {
        let apart = (one.difference() + finding.difference()).abs();
        (finding.suggestion != Some(one.id), apart, (*other - day).num_days().abs(), one.id)
    });
    let offered = found.into_iter().take(PARTNERS_MAX);
    offered.map(|(day, one)| (one.id.to_string(), finding_row(books, (day, one)))).collect()
}

/// What people did about it, oldest first.
fn history(books: &Books, finding: &Finding) -> Vec<(String, String, String, String)> {
    let page = &books.page;
    let zone = books.stores.first().map_or(chrono_tz::Tz::UTC, |store| store.zone);
    let about = |action: &&Action| action.finding == finding.id || action.other == Some(finding.id);
    books
        .actions
        .iter()
        .filter(about)
        .map(|action| {
            let what = page.word("recon-action", action.kind.as_str());
            (page.when(action.at, zone), what, action.person.clone(), action.reason.clone())
        })
        .collect()
}

/// `POST /s/{store}/reconciliation/findings/{id}`: match, unmatch, accept, note. Adds to what was decided, changes nothing.
pub async fn act(
    request: HttpRequest,
    form: SignedForm<ActForm>,
    path: web::Path<(String, String)>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    let SignedForm { viewer, fields } = form;
    let (slug, id) = path.into_inner();
    let id = RecordKey::parse(&id).ok_or(WebError::NotFound)?;
    let books = books_near(&request, (&viewer, &state), &slug, &fields.day).await?;
    let (day, finding) = visible(&books, id)?;
    let kind = ActionKind::parse(&fields.kind).ok_or(WebError::BadRequest)?;
    let mut errors = FieldErrors::default();
    let reason = text(&mut errors, "reason", &fields.reason, REASON_CHARS_MAX);
    let other = partner(&books, (day, finding), kind, &fields.other, &mut errors);
    let allowed = match kind {
        ActionKind::Match => finding.is_open(),
        ActionKind::Unmatch => finding.can_be_parted(),
        ActionKind::Accept => finding.class_at(books.now).is_exception(),
        ActionKind::Note => true,
    };
    if !allowed {
        errors.add("kind", "recon-act-too-late");
    }
    if !errors.is_empty() {
        let body = render(&books, id, (errors, reason))?;
        return Ok(respond::html(&request, StatusCode::UNPROCESSABLE_ENTITY, body));
    }
    let action = Action {
        id: 0,
        store: finding.store,
        kind,
        finding: id,
        other,
        person: viewer.person.name.clone(),
        reason,
        at: books.now,
    };
    let number = state.database.insert_reconciliation_action(&action).await?;
    tracing::info!(person = viewer.person.id.0, action = number, kind = kind.as_str(), "reconciled by hand");
    let target = format!("/s/{slug}/reconciliation/findings/{id}?day={day}");
    Ok(HttpResponse::SeeOther().insert_header((LOCATION, target)).finish())
}

/// The other finding of a match, checked.
fn partner(
    books: &Books,
    (day, finding): (NaiveDate, &Finding),
    kind: ActionKind,
    other: &str,
    errors: &mut FieldErrors,
) -> Option<RecordKey> {
    if kind != ActionKind::Match {
        return None;
    }
    let offered = partners(books, day, finding);
    let found = offered.iter().find(|(id, _)| id == other).and_then(|(id, _)| RecordKey::parse(id));
    if found.is_none() {
        errors.add("other", "recon-other-wrong");
    }
    found
}
