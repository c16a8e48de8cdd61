use actix_web::http::header::LOCATION;
use actix_web::{HttpResponse, web};

use crate::web::door::Viewer;
use crate::web::error::WebError;
use crate::web::page::{Area, EVERY_STORE};

/// `GET /`: to the overview of the only store, or of all of them.
async fn home(viewer: Viewer) -> HttpResponse {
    let store = match viewer.stores() {
        [only] => &only.slug,
        _ => EVERY_STORE,
    };
    let target = format!("/s/{store}/{}", Area::Overview.path());
    HttpResponse::SeeOther().insert_header((LOCATION, target)).finish()
}

/// Whatever has no route.
pub async fn nowhere() -> Result<HttpResponse, WebError> {
    Err(WebError::NotFound)
}

pub fn routes(config: &mut web::ServiceConfig) {
    config.service(web::resource("/").get(home));
}
