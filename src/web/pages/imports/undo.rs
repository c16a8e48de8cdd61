//! Undoing an import: asked for here, carried out by a job.

use actix_web::http::header::LOCATION;
use actix_web::{HttpResponse, web};
use serde::Deserialize;

use super::{Tag, record_of};
use crate::store::{ImportRecord, ImportState, Withdrawal};
use crate::web::door::{SignedForm, Viewer};
use crate::web::error::WebError;
use crate::web::state::AppState;

/// What the page of an import says of undoing it.
pub(super) enum Undo {
    /// Nothing came in, or it still does, or this person may not.
    No,
    Possible,
    /// It came in with a version that did not note which rows were its own.
    TooOld,
    /// Somebody asked; it is under way, or done.
    Asked(Withdrawal),
}

impl Undo {
    pub(super) async fn of(
        state: &AppState,
        viewer: &Viewer,
        record: &ImportRecord,
    ) -> Result<Self, WebError> {
        if let Some(withdrawal) = state.database.withdrawal_of(record.id).await? {
            return Ok(Self::Asked(withdrawal));
        }
        let has_come = matches!(record.state, ImportState::Done | ImportState::Failed);
        if !has_come || record.findings.rows == 0 || !viewer.is_owner() {
            return Ok(Self::No);
        }
        Ok(if state.database.is_traceable(record.id).await? { Self::Possible } else { Self::TooOld })
    }

    /// True while the job is at it.
    pub(super) const fn is_under_way(&self) -> bool {
        matches!(self, Self::Asked(Withdrawal { done_at: None, .. }))
    }
}

/// The mark of an import that is undone, or about to be.
pub(super) const fn tag_of(is_done: bool) -> Tag {
    if is_done {
        Tag { class: "", key: "imports-state-undone" }
    } else {
        Tag { class: "warn", key: "imports-state-being-undone" }
    }
}

#[derive(Deserialize)]
struct UndoForm {
    /// The number of the import, typed by hand.
    #[serde(default)]
    number: String,
}

/// `POST /s/{store}/imports/{id}/undo`
async fn undo(
    form: SignedForm<UndoForm>,
    path: web::Path<(String, i64)>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    let SignedForm { viewer, fields } = form;
    viewer.require_owner()?;
    let (slug, id) = path.into_inner();
    let (store, record) = record_of(&viewer, &state, &slug, id).await?;
    let is_meant = fields.number.trim().trim_start_matches('#') == record.id.to_string();
    if is_meant {
        // Asked twice is asked once; while it still comes in, the page says that it cannot be undone yet.
        state.database.ask_withdrawal(record.id, &viewer.person.name, state.clock.now()).await?;
    }
    let missed = if is_meant { "" } else { "?unsure=1" };
    let target = format!("/s/{}/imports/{id}{missed}#undo", store.slug);
    Ok(HttpResponse::SeeOther().insert_header((LOCATION, target)).finish())
}

pub(super) fn routes(config: &mut web::ServiceConfig) {
    config.route("/s/{store}/imports/{id:[0-9]+}/undo", web::post().to(undo));
}
