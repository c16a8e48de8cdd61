//! How far a file is, told as it happens. Pages work without: they reload then.
//!
//! A stream ends by itself after some seconds and the browser comes again: who may see it is asked anew each time, and a
//! server that is to stop does not wait for it long.

use std::convert::Infallible;
use std::time::Duration;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use futures_util::{Stream, stream};
use serde::Serialize;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant as Deadline, sleep};

use super::{is_under_way, record_of, waiting};
use crate::domain::StoreId;
use crate::store::ImportState;
use crate::web::door::Viewer;
use crate::web::error::WebError;
use crate::web::page::{Area, Page};
use crate::web::state::AppState;

/// Streams of this process at a time; who finds none free reloads the page instead.
const STREAMS_MAX: usize = 64;
/// How long one stream lasts.
const STREAM_LASTS: Duration = Duration::from_secs(10);
const TELL_EVERY: Duration = Duration::from_millis(400);
/// Seconds after which a reader who found no free stream may ask again.
const RETRY_AFTER_S: u64 = 5;

static STREAMS: Semaphore = Semaphore::const_new(STREAMS_MAX);

/// What is watched.
#[derive(Clone, Copy)]
enum Watched {
    Import(i64),
    Pending(i64),
}

/// Where it stands. A change of the phase is worth a new page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Reading,
    Folding,
    Undoing,
    Ended,
}

/// What a page is told.
#[derive(Serialize)]
struct Told {
    ppm: i64,
    said: String,
}

struct Telling {
    state: AppState,
    page: Page,
    watched: Watched,
    store: StoreId,
    until: Deadline,
    /// The phase when the stream began.
    phase: Option<Phase>,
    ended: bool,
    _place: SemaphorePermit<'static>,
}

impl Telling {
    /// The next event; `None` at the end of the stream.
    async fn next(&mut self) -> Option<Bytes> {
        if self.ended || Deadline::now() >= self.until {
            return None;
        }
        if self.phase.is_some() {
            sleep(TELL_EVERY).await;
        }
        let (phase, told) = match self.look().await {
            Ok(found) => found,
            Err(error) => {
                // The page reloads and says itself what is wrong.
                tracing::warn!(%error, "progress cannot be told");
                (Phase::Ended, Told { ppm: 0, said: String::new() })
            }
        };
        let begun = *self.phase.get_or_insert(phase);
        self.ended = phase == Phase::Ended || phase != begun;
        let name = if self.ended { "end" } else { "progress" };
        let data = serde_json::to_string(&told).unwrap_or_default();
        Some(Bytes::from(format!("retry: 500\nevent: {name}\ndata: {data}\n\n")))
    }

    async fn look(&self) -> Result<(Phase, Told), WebError> {
        match self.watched {
            Watched::Import(id) => self.look_at_import(id).await,
            Watched::Pending(id) => self.look_at_pending(id).await,
        }
    }

    async fn look_at_import(&self, id: i64) -> Result<(Phase, Told), WebError> {
        let record = self.state.database.import(id).await?.ok_or(WebError::NotFound)?;
        let ratio = self.page.ratio(record.progress_ppm, 1_000_000_i64, 0);
        let rows = self.page.t_with("imports-rows-so-far", &[("n", record.findings.rows.into())]);
        let told = Told { ppm: record.progress_ppm, said: format!("{ratio} · {rows}") };
        let undone = self.state.database.withdrawal_of(id).await?;
        if let Some(undone) = undone.filter(|undone| undone.done_at.is_none()) {
            let said = self.page.t_with("undo-so-far", &[("rows", undone.taken_out.into())]);
            return Ok((Phase::Undoing, Told { ppm: 0, said }));
        }
        let phase = match record.state {
            ImportState::Running if is_under_way(&self.state, &record) => Phase::Reading,
            ImportState::Done if self.state.database.import_outcome(&record).await?.waiting > 0 => {
                Phase::Folding
            }
            _ => Phase::Ended,
        };
        Ok((phase, told))
    }

    async fn look_at_pending(&self, id: i64) -> Result<(Phase, Told), WebError> {
        let pending = self.state.database.pending_import(id, self.state.clock.now()).await?;
        let pending = pending.filter(|pending| pending.store == self.store).ok_or(WebError::NotFound)?;
        let ppm = waiting::position_of(&self.state, id);
        let phase = if pending.diagnosis.is_some() || ppm.is_none() { Phase::Ended } else { Phase::Reading };
        let ppm = ppm.unwrap_or(0);
        Ok((phase, Told { ppm, said: self.page.ratio(ppm, 1_000_000_i64, 0) }))
    }

    fn stream(self) -> impl Stream<Item = Result<Bytes, Infallible>> {
        stream::unfold(self, |mut telling| async {
            let event = telling.next().await?;
            Some((Ok(event), telling))
        })
    }
}

fn tell(state: &AppState, page: Page, store: StoreId, watched: Watched) -> Result<HttpResponse, WebError> {
    let Ok(place) = STREAMS.try_acquire() else {
        return Err(WebError::Unavailable { retry_after_s: RETRY_AFTER_S });
    };
    let until = Deadline::now() + STREAM_LASTS;
    let state = state.clone();
    let telling = Telling { state, page, watched, store, until, phase: None, ended: false, _place: place };
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/event-stream; charset=utf-8"))
        // Whatever stands between us and the reader must neither compress nor collect events.
        .insert_header((CACHE_CONTROL, "no-store, no-transform"))
        .insert_header(("x-accel-buffering", "no"))
        .streaming(Box::pin(telling.stream())))
}

/// `GET /s/{store}/imports/{id}/events`
async fn of_import(
    request: HttpRequest,
    viewer: Viewer,
    path: web::Path<(String, i64)>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    let (slug, id) = path.into_inner();
    let (store, _) = record_of(&viewer, &state, &slug, id).await?;
    tell(&state, viewer.page(&request, &slug, Area::Imports)?, store.id, Watched::Import(id))
}

/// `GET /s/{store}/imports/pending/{id}/events`
async fn of_pending(
    request: HttpRequest,
    viewer: Viewer,
    path: web::Path<(String, i64)>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    let (slug, id) = path.into_inner();
    let (store, _) = super::pending::pending_of(&viewer, &state, &slug, id).await?;
    tell(&state, viewer.page(&request, &slug, Area::Imports)?, store.id, Watched::Pending(id))
}

pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/s/{store}/imports/pending/{id:[0-9]+}/events").get(of_pending))
        .service(web::resource("/s/{store}/imports/{id:[0-9]+}/events").get(of_import));
}
