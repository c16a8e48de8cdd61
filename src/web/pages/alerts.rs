use std::cmp::Reverse;

use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use chrono::TimeDelta;
use chrono_tz::Tz;
use serde::Deserialize;

use crate::alerts::{
    Acknowledgement, AlertState, Episode, Evidence, SeenHour, Severity, Surprise, Told, Tongue, Where,
    kind_name, sentence,
};
use crate::domain::{Instant, Store, StoreId};
use crate::web::charts::{Drawing, Figure, Scale, Series, Table, Values};
use crate::web::door::{SignedForm, Viewer};
use crate::web::error::WebError;
use crate::web::page::{Area, EVERY_STORE, Page};
use crate::web::state::AppState;
use crate::web::texts::Language;
use crate::web::{numbers, respond};

/// Resolved alerts of so many days are shown.
const RESOLVED_DAYS: i64 = 7;
/// Longest reason of an acknowledgement.
const REASON_CHARS_MAX: usize = 300;
/// Hours an acknowledgement may hold; 0 is "until it is over".
const ACK_HOURS: [i64; 4] = [0, 1, 8, 72];

pub fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/s/{store}/alerts", web::get().to(show))
        .route("/s/{store}/alerts.csv", web::get().to(export))
        .route("/s/{store}/alerts/{id:[0-9]+}", web::get().to(detail))
        .route("/s/{store}/alerts/{id:[0-9]+}/acknowledge", web::post().to(acknowledge));
}

/// One alert as the list shows it.
struct Card {
    id: i64,
    kind: &'static str,
    severity: (&'static str, String),
    told: Told,
    since: String,
    /// How long it lasted, or how long it has gone on.
    span: String,
    money: String,
    frozen: bool,
    acknowledged: Option<String>,
}

#[derive(Template)]
#[template(path = "pages/alerts.html")]
struct AlertsPage {
    page: Page,
    is_owner: bool,
    firing: Vec<Card>,
    acknowledged: Vec<Card>,
    resolved: Vec<Card>,
}

#[derive(Template)]
#[template(path = "pages/alert.html")]
struct AlertPage {
    page: Page,
    card: Card,
    store: String,
    zone: Tz,
    is_firing: bool,
    facts: Vec<(String, String)>,
    figure: Option<Figure>,
    timeline: Vec<(String, String, String)>,
    hours: [i64; 4],
}

/// Says alerts in the reader's language, in each store's own zone.
struct Reader<'a> {
    page: &'a Page,
    stores: &'a [Store],
    now: Instant,
}

impl Reader<'_> {
    fn store_of(&self, id: Option<StoreId>) -> Option<&Store> {
        id.and_then(|id| self.stores.iter().find(|store| store.id == id))
    }

    fn zone_of(&self, episode: &Episode) -> Tz {
        self.store_of(episode.scope.store).or_else(|| self.stores.first()).map_or(Tz::UTC, |store| store.zone)
    }

    fn told(&self, episode: &Episode) -> Told {
        let store = self.store_of(episode.scope.store).map_or("", |store| store.name.as_str());
        sentence(tongue(self.page.language), episode, &Where { store, zone: self.zone_of(episode) })
    }

    fn span(&self, span: TimeDelta) -> String {
        // Seconds are noise in something that lasts hours.
        let ms = span.num_minutes().max(0) * 60_000;
        self.page.length_of_time(u64::try_from(ms).unwrap_or(0))
    }

    fn card(&self, episode: &Episode) -> Card {
        let (class, key) = match (episode.state, episode.severity) {
            (AlertState::Resolved, _) => ("good", "alerts-resolved-tag"),
            (_, Severity::Critical) => ("bad", "alerts-critical"),
            (_, Severity::Warning) => ("warn", "alerts-warning"),
        };
        let until = episode.resolved_at.unwrap_or(self.now);
        Card {
            id: episode.id,
            kind: kind_name(tongue(self.page.language), episode.scope.kind),
            severity: (class, self.page.t(key)),
            told: self.told(episode),
            since: self.page.when(episode.onset_at, self.zone_of(episode)),
            span: self.span(until - episode.onset_at),
            money: episode
                .loss
                .map_or_else(|| numbers::NONE.to_owned(), |loss| self.page.money(loss.minor, loss.currency)),
            frozen: episode.frozen,
            acknowledged: episode.acknowledged.as_ref().map(|ack| {
                let values = [("who", ack.by.as_str().into()), ("why", ack.reason.as_str().into())];
                self.page.t_with("alerts-acknowledged-by", &values)
            }),
        }
    }
}

const fn tongue(language: Language) -> Tongue {
    match language {
        Language::Chinese => Tongue::Chinese,
        Language::English => Tongue::English,
    }
}

/// The episodes a viewer may see under this store's path: of the store (or all their stores), and for owners those of the
/// installation. Suspicions are nobody's business yet.
async fn visible(state: &AppState, viewer: &Viewer, store: &str) -> Result<Vec<Episode>, WebError> {
    let ids: Vec<StoreId> = viewer.stores_of(store)?.iter().map(|store| store.id).collect();
    let since = state.clock.now() - TimeDelta::days(RESOLVED_DAYS);
    let mut episodes = state.database.episodes_since(since).await?;
    episodes.retain(|episode| {
        let theirs = episode.scope.store.map_or_else(|| viewer.is_owner(), |id| ids.contains(&id));
        theirs && episode.state != AlertState::Pending
    });
    // Most money first; what is unknown is not nothing, but cannot be ranked.
    episodes.sort_by_key(|episode| {
        (
            episode.state == AlertState::Resolved,
            Reverse(episode.severity),
            Reverse(episode.loss.map(|loss| loss.minor)),
            Reverse(episode.onset_at),
        )
    });
    Ok(episodes)
}

/// `GET /s/{store}/alerts`: what is firing, how bad, who has it.
async fn show(
    request: HttpRequest,
    viewer: Viewer,
    store: web::Path<String>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    let page = viewer.page(&request, &store, Area::Alerts)?;
    let episodes = visible(&state, &viewer, &store).await?;
    let now = state.clock.now();
    let reader = Reader { page: &page, stores: viewer.stores(), now };
    let (resolved, open): (Vec<_>, Vec<_>) =
        episodes.iter().partition(|episode| episode.state == AlertState::Resolved);
    let (acknowledged, firing): (Vec<&Episode>, Vec<&Episode>) =
        open.into_iter().partition(|episode| episode.is_acknowledged(now));
    let cards = |episodes: Vec<&Episode>| episodes.into_iter().map(|one| reader.card(one)).collect();
    let (firing, acknowledged, resolved) = (cards(firing), cards(acknowledged), cards(resolved));
    let body = AlertsPage { is_owner: viewer.is_owner(), firing, acknowledged, resolved, page }.render()?;
    Ok(respond::html(&request, StatusCode::OK, body))
}

/// `GET /s/{store}/alerts.csv`: the same alerts, with exact times and minor units.
async fn export(
    request: HttpRequest,
    viewer: Viewer,
    store: web::Path<String>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    let page = viewer.page(&request, &store, Area::Alerts)?;
    let episodes = visible(&state, &viewer, &store).await?;
    let reader = Reader { page: &page, stores: viewer.stores(), now: state.clock.now() };
    let tag = respond::tag(&page, &[&format!("{episodes:?}"), "csv"]);
    if let Some(unchanged) = respond::unchanged(&request, &tag) {
        return Ok(unchanged);
    }
    let body = write_csv(&reader, &episodes)?;
    Ok(respond::tagged_csv(&request, &tag, &format!("alerts-{store}.csv"), body))
}

fn write_csv(reader: &Reader, episodes: &[Episode]) -> Result<Vec<u8>, WebError> {
    const HEADS: [&str; 16] = [
        "id",
        "kind",
        "store",
        "provider",
        "subject",
        "severity",
        "state",
        "onset_at",
        "fired_at",
        "resolved_at",
        "found_late",
        "money",
        "money_minor",
        "currency",
        "acknowledged_by",
        "title",
    ];
    // The mark at the start makes Excel read UTF-8.
    let mut file = csv::Writer::from_writer(b"\xef\xbb\xbf".to_vec());
    file.write_record(HEADS).map_err(anyhow::Error::from)?;
    for episode in episodes {
        let zone = reader.zone_of(episode);
        let at = |at: Option<Instant>| at.map_or_else(String::new, |at| at.with_timezone(&zone).to_rfc3339());
        let store = reader.store_of(episode.scope.store).map_or("", |store| store.slug.as_str());
        let loss = episode.loss;
        file.write_record([
            episode.id.to_string(),
            episode.scope.kind.as_str().to_owned(),
            store.to_owned(),
            episode.scope.provider.to_string(),
            inert(&episode.scope.subject),
            episode.severity.as_str().to_owned(),
            episode.state.as_str().to_owned(),
            at(Some(episode.onset_at)),
            at(episode.fired_at),
            at(episode.resolved_at),
            episode.found_late.to_string(),
            loss.map_or_else(String::new, |loss| numbers::money_plain(loss.minor, loss.currency)),
            loss.map_or_else(String::new, |loss| loss.minor.to_string()),
            loss.map_or_else(String::new, |loss| loss.currency.code().to_owned()),
            inert(episode.acknowledged.as_ref().map_or("", |ack| ack.by.as_str())),
            inert(&reader.told(episode).title),
        ])
        .map_err(anyhow::Error::from)?;
    }
    Ok(file.into_inner().map_err(|error| anyhow::anyhow!("writing CSV: {error}"))?)
}

/// Text that a spreadsheet does not take for a formula.
fn inert(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}

async fn find(state: &AppState, viewer: &Viewer, store: &str, id: i64) -> Result<Episode, WebError> {
    let ids: Vec<StoreId> = viewer.stores_of(store)?.iter().map(|store| store.id).collect();
    let episode = state.database.episode(id).await?.ok_or(WebError::NotFound)?;
    let theirs = episode.scope.store.map_or_else(|| viewer.is_owner(), |id| ids.contains(&id));
    if theirs { Ok(episode) } else { Err(WebError::NotFound) }
}

/// `GET /s/{store}/alerts/{id}`: one alert, what its test saw, what happened to it.
async fn detail(
    request: HttpRequest,
    viewer: Viewer,
    path: web::Path<(String, i64)>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    let (store, id) = path.into_inner();
    let page = viewer.page(&request, &store, Area::Alerts)?;
    let episode = find(&state, &viewer, &store, id).await?;
    let transitions = state.database.transitions(id).await?;
    let reader = Reader { page: &page, stores: viewer.stores(), now: state.clock.now() };
    let zone = reader.zone_of(&episode);
    let timeline = transitions
        .into_iter()
        .map(|one| {
            let who =
                if one.actor.is_empty() { String::new() } else { format!("{}: {}", one.actor, one.note) };
            (page.when(one.at, zone), page.word("alerts-step", &one.step), who)
        })
        .collect();
    let body = AlertPage {
        card: reader.card(&episode),
        store: reader.store_of(episode.scope.store).map_or_else(String::new, |store| store.name.clone()),
        zone,
        is_firing: episode.state == AlertState::Firing,
        facts: facts(&page, &episode),
        figure: figure(&page, &episode, zone),
        timeline,
        hours: ACK_HOURS,
        page,
    }
    .render()?;
    Ok(respond::html(&request, StatusCode::OK, body))
}

/// What the test saw, as name and value.
fn facts(page: &Page, episode: &Episode) -> Vec<(String, String)> {
    let surprise = |one: &Surprise| {
        vec![
            ("alerts-fact-surprise", format!("{:.1}", one.found)),
            ("alerts-fact-threshold", format!("{:.1}", one.needed)),
        ]
    };
    let mut facts = match &episode.evidence {
        Evidence::SuccessRateDrop { failed, of, usual, surprise: one, .. } => {
            let mut facts = vec![
                ("alerts-fact-failed", page.count(*failed)),
                ("alerts-fact-of", page.count(*of)),
                ("alerts-fact-usual", format!("{usual:.1}")),
            ];
            facts.extend(surprise(one));
            facts
        }
        Evidence::TrafficSilence { usual, surprise: one, .. } => {
            let mut facts = vec![("alerts-fact-usual-orders", format!("{usual:.1}"))];
            facts.extend(surprise(one));
            facts
        }
        Evidence::RefundSpike { refunds, usual, surprise: one, .. } => {
            let mut facts = vec![
                ("alerts-fact-refunds", page.count(*refunds)),
                ("alerts-fact-usual", format!("{usual:.1}")),
            ];
            facts.extend(surprise(one));
            facts
        }
        Evidence::FeeMismatch { days, count, amount, charged, expected, currency, reference_ppm, .. } => {
            vec![
                ("alerts-fact-days", page.count(*days)),
                ("alerts-fact-payments", page.count(*count)),
                ("alerts-fact-amount", page.money(*amount, *currency)),
                ("alerts-fact-charged", page.money(*charged, *currency)),
                ("alerts-fact-expected", page.money(*expected, *currency)),
                ("alerts-fact-reference", page.rate_ppm(i128::from(*reference_ppm))),
            ]
        }
        Evidence::SettlementLate { missing, had_days, of_days, .. } => vec![
            ("alerts-fact-missing", page.count(*missing)),
            ("alerts-fact-had", format!("{had_days} / {of_days}")),
        ],
        Evidence::JobFailed { failures, .. } => vec![("alerts-fact-failures", page.count(*failures))],
        Evidence::IngestLag { batches, rows, .. } => {
            vec![("alerts-fact-batches", page.count(*batches)), ("alerts-fact-rows", page.count(*rows))]
        }
    };
    if !episode.scope.subject.is_empty() {
        facts.push(("alerts-fact-subject", episode.scope.subject.clone()));
    }
    facts.into_iter().map(|(key, value)| (page.t(key), value)).collect()
}

/// The hours around it: counted as bars, usual as a stroke across each.
#[expect(clippy::cast_precision_loss, reason = "a pixel is coarser than any count here")]
fn figure(page: &Page, episode: &Episode, zone: Tz) -> Option<Figure> {
    let (hours, title): (&[SeenHour], &str) = match &episode.evidence {
        Evidence::SuccessRateDrop { hours, .. } => (hours, "alerts-figure-failures"),
        Evidence::RefundSpike { hours, .. } => (hours, "alerts-figure-refunds"),
        _ => return None,
    };
    let with_of = hours.iter().any(|hour| hour.of > 0);
    let values = Values {
        now: hours.iter().map(|hour| Some(hour.count as f64)).collect(),
        before: hours.iter().map(|hour| Some(hour.usual)).collect(),
        labels: hours.iter().map(|hour| page.time(hour.from, zone)).collect(),
        ..Values::default()
    };
    let mut heads = vec![page.t("alerts-hour"), page.t("alerts-counted")];
    if with_of {
        heads.push(page.t("alerts-fact-of"));
    }
    heads.push(page.t("alerts-fact-usual"));
    let rows = hours
        .iter()
        .map(|hour| {
            let mut row = vec![page.when(hour.from, zone), page.count(hour.count)];
            if with_of {
                row.push(page.count(hour.of));
            }
            row.push(format!("{:.1}", hour.usual));
            row
        })
        .collect();
    let drawing = Series::upright_bars(page.language, Scale::Amount, &values).map(Drawing::from);
    let about = page.t_with("alerts-figure-about", &[("zone", zone.name().into())]);
    Some(Figure::new(page, "hours", page.t(title), about, drawing, Table { heads, rows }))
}

#[derive(Deserialize)]
struct AcknowledgeForm {
    #[serde(default)]
    reason: String,
    #[serde(default)]
    hours: i64,
}

/// `POST /s/{store}/alerts/{id}/acknowledge`: somebody takes it on.
async fn acknowledge(
    form: SignedForm<AcknowledgeForm>,
    path: web::Path<(String, i64)>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    let (store, id) = path.into_inner();
    let SignedForm { viewer, fields } = form;
    find(&state, &viewer, &store, id).await?;
    if !ACK_HOURS.contains(&fields.hours) {
        return Err(WebError::BadRequest);
    }
    let now = state.clock.now();
    let reason: String =
        fields.reason.trim().chars().filter(|one| !one.is_control()).take(REASON_CHARS_MAX).collect();
    let ack = Acknowledgement {
        by: viewer.person.name.clone(),
        reason,
        at: now,
        until: (fields.hours > 0).then(|| now + TimeDelta::hours(fields.hours)),
    };
    // One that is over meanwhile needs nobody any more: the page says so.
    state.database.acknowledge_episode(id, &ack).await?;
    let slug = if store == EVERY_STORE { EVERY_STORE } else { viewer.store(&store)?.slug.as_str() };
    Ok(HttpResponse::SeeOther().insert_header((LOCATION, format!("/s/{slug}/alerts/{id}"))).finish())
}
