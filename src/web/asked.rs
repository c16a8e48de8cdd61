//! What every report page does: read the address, take one snapshot, work the report out off the request threads,
//! answer as page or as file. A report adds its own part by [`ReportPage`].

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use chrono::NaiveDate;

use super::door::Viewer;
use super::error::WebError;
use super::filters::{FilterBar, FilterError, Filters, Options};
use super::firing::Firing;
use super::head::Head;
use super::page::{Area, Page};
use super::respond;
use super::state::AppState;
use crate::analytics::reconciliation::DaySum;
use crate::analytics::{Detail, Snapshot, View, scan_view};
use crate::domain::{Instant, Range, Store, Word};
use crate::jobs::fresh_blocks;
use crate::lake::Lake;
use crate::reports::{Compare, LIMBO_DAYS, Period, Query, Settings, Subject, limbo_count};

/// One request for a report, with everything its answer is made from.
#[derive(Clone)]
pub struct Asked {
    pub page: Page,
    pub filters: Filters,
    pub query: Query,
    pub settings: Settings,
    pub snapshot: Arc<Snapshot>,
    /// The snapshot's rollups that answer the query, without what only rows tell.
    pub rollups: Arc<View>,
    pub lake: Lake,
    /// True when a file is wanted, not a page.
    pub is_file: bool,
    /// False when a file is wanted without the mark that Excel needs.
    pub byte_order_mark: bool,
    /// Alerts that fire now.
    pub firing: Firing,
    /// Orders without a final status for longer than usual; where the page counts them.
    pub unresolved: i64,
    /// The books' sums of the asked days, for the foot; `None` where nothing is reconciled.
    pub sums: Option<Vec<DaySum>>,
    area: Area,
}

/// What a report adds to [`Asked`]: how it is worked out, and how it is shown.
pub trait ReportPage: Sized + Send + 'static {
    /// Its place; gives its path.
    const AREA: Area;
    /// Names of parameters that only this page knows.
    const OWN: &'static [&'static str] = &["bom"];

    /// True when the report tells cashiers apart, whatever is asked.
    const CASHIERS: bool = false;

    /// True when the page says how many orders have no final status.
    const COUNTS_UNRESOLVED: bool = false;

    /// Checks the parameters that only this page knows.
    ///
    /// # Errors
    /// [`FilterError`] naming the one that cannot be read.
    fn check(_filters: &Filters) -> Result<(), FilterError> {
        Ok(())
    }

    /// Works the report out. Runs on a blocking thread.
    ///
    /// # Errors
    /// [`WebError::Internal`] when a file cannot be read.
    fn work_out(asked: &Asked) -> Result<Self, WebError>;

    /// What one may choose from; with nothing asked, what the form of a broken address offers.
    fn options(asked: Option<&Asked>) -> Options;

    /// The page.
    ///
    /// # Errors
    /// [`WebError::Internal`] when the template fails.
    fn html(&self, asked: &Asked) -> Result<String, WebError>;

    /// The file: the same figures.
    ///
    /// # Errors
    /// [`WebError::Internal`] when it cannot be written.
    fn csv(&self, asked: &Asked) -> Result<Vec<u8>, WebError>;
}

/// Routes of a report: its page and its file.
pub fn routes<R: ReportPage>(config: &mut web::ServiceConfig) {
    let path = format!("/s/{{store}}/{}", R::AREA.path());
    config.route(&path, web::get().to(show::<R>)).route(&format!("{path}.csv"), web::get().to(export::<R>));
}

/// How an answer is wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Html,
    Csv,
}

async fn show<R: ReportPage>(
    request: HttpRequest,
    slug: web::Path<String>,
    viewer: Viewer,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    answer::<R>(request, &slug, viewer, state, Form::Html).await
}

async fn export<R: ReportPage>(
    request: HttpRequest,
    slug: web::Path<String>,
    viewer: Viewer,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    answer::<R>(request, &slug, viewer, state, Form::Csv).await
}

async fn answer<R: ReportPage>(
    request: HttpRequest,
    slug: &str,
    viewer: Viewer,
    state: web::Data<AppState>,
    form: Form,
) -> Result<HttpResponse, WebError> {
    let read = Filters::read(request.query_string(), R::OWN)
        .and_then(|filters| R::check(&filters).map(|()| filters));
    let filters = match read {
        Ok(filters) => filters,
        Err(error) => {
            let page = viewer.page(&request, slug, R::AREA)?;
            let bar = FilterBar::broken(&page, &R::options(None), request.query_string(), error);
            let head = Head::broken(&page, page.area_name(R::AREA), bar);
            let body = BrokenPage { page: &page, title: page.area_name(R::AREA), head }.render()?;
            return Ok(respond::html(&request, StatusCode::BAD_REQUEST, body));
        }
    };
    let mut asked = ask::<R>(&request, slug, &viewer, &state, filters).await?;
    asked.is_file = form == Form::Csv;
    if R::COUNTS_UNRESOLVED {
        asked.unresolved = unresolved(&state, &asked).await?;
    }
    let tag = respond::tag(&asked.page, &[&asked.state(), if form == Form::Csv { "csv" } else { "html" }]);
    if let Some(unchanged) = respond::unchanged(&request, &tag) {
        return Ok(unchanged);
    }
    let name = asked.file_name();
    let body = web::block(move || {
        let report = R::work_out(&asked)?;
        match form {
            Form::Html => report.html(&asked).map(String::into_bytes),
            Form::Csv => report.csv(&asked),
        }
    })
    .await
    .map_err(|error| WebError::Internal(error.into()))??;
    Ok(match form {
        Form::Html => respond::tagged_html(&request, &tag, body),
        Form::Csv => respond::tagged_csv(&request, &tag, &name, body),
    })
}

/// What a page of this report's area is made from.
///
/// # Errors
/// [`WebError::NotFound`] for a store that this person may not see.
pub async fn ask<R: ReportPage>(
    request: &HttpRequest,
    slug: &str,
    viewer: &Viewer,
    state: &AppState,
    filters: Filters,
) -> Result<Asked, WebError> {
    let stores: Vec<Store> = viewer.stores_of(slug)?.into_iter().cloned().collect();
    let mut page = viewer.page(request, slug, R::AREA)?;
    let contracts = state.database.contract_rates().await?.into_iter().map(|entry| entry.rate).collect();
    let settings = Settings { contracts };
    let query = filters.query(stores, state.clock.now());
    let (snapshot, rollups) = rollups_of(state, &query, &settings, R::CASHIERS).await?;
    page.several_currencies = several_currencies(&query, &rollups);
    page.partial_days = partial_days(&query, &filters, &snapshot);
    let firing = Firing::of(state, viewer, &page).await?;
    let sums = sums_of(state, viewer, &query).await?;
    Ok(Asked {
        byte_order_mark: filters.own.get("bom").is_none_or(|wanted| wanted != "0"),
        is_file: false,
        page,
        filters,
        query,
        settings,
        snapshot,
        rollups: Arc::new(rollups),
        lake: state.lake.as_ref().clone(),
        firing,
        unresolved: 0,
        sums,
        area: R::AREA,
    })
}

/// How many orders of the asked stores have no final status for longer than usual.
async fn unresolved(state: &AppState, asked: &Asked) -> Result<i64, WebError> {
    let mut query = Query::new(asked.query.stores.clone(), Period::LastDays(LIMBO_DAYS), asked.query.now);
    query.compare = Compare::None;
    let (_, rollups) = rollups_of(state, &query, &asked.settings, false).await?;
    limbo_count(&rollups, &query).map_err(|error| WebError::Internal(error.into()))
}

/// The books' sums of the asked days.
async fn sums_of(state: &AppState, viewer: &Viewer, query: &Query) -> Result<Option<Vec<DaySum>>, WebError> {
    let Some(store) = query.stores.first() else { return Ok(None) };
    let days = query.period.days(store, query.now);
    let sums = state.database.reconciliation_sums(viewer.person.organisation, days).await?;
    Ok((!sums.is_empty()).then_some(sums))
}

/// UTC days of this request that have a file which cannot be read. A search by id looks at every day.
fn partial_days(query: &Query, filters: &Filters, snapshot: &Snapshot) -> Vec<NaiveDate> {
    if snapshot.quarantined.is_empty() {
        return Vec::new();
    }
    let everywhere = Range { from: Instant::MIN_UTC, until: Instant::MAX_UTC };
    let searched = filters.own.contains_key("q").then_some(everywhere);
    let spans = query.spans().unwrap_or_default();
    let mut days: Vec<NaiveDate> = spans
        .iter()
        .flat_map(|span| [Some(span.range), span.before.as_ref().map(|before| before.range)])
        .flatten()
        .chain(searched)
        .flat_map(|range| snapshot.partial_days(range))
        .collect();
    days.sort_unstable();
    days.dedup();
    days
}

/// One snapshot, and the rollups of it that answer a query.
async fn rollups_of(
    state: &AppState,
    query: &Query,
    settings: &Settings,
    cashiers: bool,
) -> Result<(Arc<Snapshot>, View), WebError> {
    let plan = |snapshot: &Snapshot| {
        let plan = query
            .plan(snapshot, settings, cashiers)
            .map_err(|error| WebError::Internal(anyhow::Error::new(error).context("planning a report")))?;
        let wanted = plan.wanted();
        Ok::<_, WebError>((plan, wanted))
    };
    let (snapshot, plan, blocks) = fresh_blocks(&state.database, &state.snapshots, plan).await?;
    let view = plan.view(&snapshot, &blocks);
    Ok((snapshot, view))
}

/// True when money of several currencies is in the rollups asked for: amounts then carry their code.
fn several_currencies(query: &Query, rollups: &View) -> bool {
    if query.currency.is_some() {
        return false;
    }
    let mut only: Option<Word> = None;
    let mut several = false;
    for piece in rollups.pieces.iter().filter(|piece| piece.parts.money) {
        if !several {
            piece.cells.money(Detail::Coarse, |_, key, _| {
                several |= *only.get_or_insert(key.currency) != key.currency;
            });
        }
    }
    several
}

impl Asked {
    /// Everything the report is made from, as one text for an `ETag`.
    fn state(&self) -> String {
        // The running hour decides what is compared and which bucket is still open.
        let minute = self.query.now.timestamp() / 60;
        let books = blake3::hash(format!("{:?}", self.sums).as_bytes()).to_hex();
        format!(
            "{} {minute} {:?} {:?} {} {books}",
            self.snapshot.version, self.settings, self.firing, self.unresolved
        )
    }

    /// The rollups that answer this query: the snapshot's own, or made from rows where none holds the combination.
    ///
    /// # Errors
    /// [`WebError::Internal`] when a file cannot be read, or at the ends of the calendar.
    pub fn view(&self, subject: Subject) -> Result<Arc<View>, WebError> {
        if !self.query.needs_rows(subject) {
            return Ok(Arc::clone(&self.rollups));
        }
        let internal = |error: anyhow::Error| WebError::Internal(error);
        let scan = self.query.scan().map_err(|error| internal(error.into()))?;
        scan_view(&self.lake, &self.snapshot, &scan)
            .map(Arc::new)
            .map_err(|error| internal(anyhow::Error::new(error).context("scanning rows for a report")))
    }

    /// This page's address as a file.
    pub fn csv_url(&self) -> String {
        format!("{}.csv{}", self.page.area_url(self.area), self.filters.url())
    }

    /// This page with other filters.
    pub fn url(&self, filters: &Filters) -> String {
        format!("{}{}", self.page.area_url(self.area), filters.url())
    }

    /// Another page with the same filters and days.
    pub fn url_at(&self, area: Area, filters: &Filters) -> String {
        format!("{}{}", self.page.area_url(area), filters.url())
    }

    /// Name of the file: `main-fees-2026-10-01.csv`.
    fn file_name(&self) -> String {
        let store = self.query.stores.first();
        let day = store.map(|store| self.query.period.days(store, self.query.now));
        let day = day.map(|(first, last)| format!("-{first}_{last}")).unwrap_or_default();
        format!("{}-{}{day}.csv", self.page.store, self.area.path())
    }

    /// Where the orders without a final status are listed, and how many there are in words.
    pub fn unresolved_link(&self) -> (String, String) {
        let text = self.page.t_with("limbo-link", &[("n", self.unresolved.into())]);
        (format!("/s/{}/unresolved", self.page.store), text)
    }

    /// True when nothing has ever come in for the asked stores.
    pub fn has_no_data(&self) -> bool {
        self.query.stores.iter().all(|store| self.snapshot.days_with_data(store.id).is_none())
    }
}

/// The page of an address that cannot be read: the form, as it was filled in.
#[derive(Template)]
#[template(
    ext = "html",
    source = r#"{% extends "base.html" %}{% block title %}{{ title }}{% endblock %}{% block main %}{{ head|safe }}{% endblock %}"#
)]
struct BrokenPage<'a> {
    page: &'a Page,
    title: String,
    head: Head<'a>,
}
