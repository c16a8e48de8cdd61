//! Rejected lines, put right and handed in again.

use actix_multipart::Multipart;
use actix_web::http::header::LOCATION;
use actix_web::{HttpResponse, web};

use super::record_of;
use super::upload::{Upload, UploadError};
use crate::intake::import::ImportError;
use crate::intake::mending::{MendError, Mended, Mending};
use crate::store::ImportState;
use crate::web::door::Viewer;
use crate::web::error::WebError;
use crate::web::state::AppState;

/// Codes of what may be wrong with lines that are handed in; each has a text `imports-mend-fault-{code}`.
const FAULTS: [&str; 4] = ["by-line", "whole", "unreadable", "no-file"];

/// The key of a fault that stands in a page's address.
pub fn fault_key(code: &str) -> Option<String> {
    FAULTS.contains(&code).then(|| format!("imports-mend-fault-{code}"))
}

/// `POST /s/{store}/imports/{id}/mend`
async fn mend(
    viewer: Viewer,
    path: web::Path<(String, i64)>,
    form: Multipart,
    state: web::Data<AppState>,
) -> Result<HttpResponse, WebError> {
    let (slug, id) = path.into_inner();
    let (store, record) = record_of(&viewer, &state, &slug, id).await?;
    let is_undone = state.database.withdrawals(store.id).await?.contains_key(&id);
    if record.state != ImportState::Done || is_undone {
        return Err(WebError::Conflict);
    }
    let upload = Upload::read(&state, form, Some(&|token| viewer.check_csrf(token))).await;
    let outcome = match upload.and_then(|upload| upload.request(&state, store.id)) {
        Err(UploadError::Web(error)) => return Err(error),
        Err(UploadError::Fault(_)) => "fault=no-file".to_owned(),
        Ok((request, file)) => {
            let mending = Mending {
                import: record,
                path: file.to_path_buf(),
                scratch: request.scratch,
                now: state.clock.now(),
            };
            let pseudonyms = std::sync::Arc::clone(&state.pseudonyms);
            said(mending.run(&state.intake, &state.database, pseudonyms).await)?
        }
    };
    let target = format!("/s/{}/imports/{id}?{outcome}#rejected", store.slug);
    Ok(HttpResponse::SeeOther().insert_header((LOCATION, target)).finish())
}

/// The outcome, for the address of the page that shows it.
fn said(outcome: Result<Mended, MendError>) -> Result<String, WebError> {
    match outcome {
        Ok(Mended { mended, still, foreign }) => {
            Ok(format!("mended={mended}&still={still}&foreign={foreign}"))
        }
        Err(MendError::NotByLine) => Ok("fault=by-line".to_owned()),
        Err(MendError::NotWhole) => Ok("fault=whole".to_owned()),
        Err(MendError::Refused(_)) => Ok("fault=unreadable".to_owned()),
        Err(MendError::Import(ImportError::Store(error))) => Err(error.into()),
        Err(other) => Err(WebError::Internal(other.into())),
    }
}

pub fn routes(config: &mut web::ServiceConfig) {
    config.service(web::resource("/s/{store}/imports/{id:[0-9]+}/mend").post(mend));
}
