//! Settings: stores, API keys, callback addresses, contract rates, sites of the checkout beacon, bills that are fetched.
//! Members see the stores; only owners change anything.

mod beacon;
mod endpoints;
mod fetching;
mod go_live;
mod keys;
mod rates;
mod stores;

use actix_web::http::header::LOCATION;
use actix_web::{HttpResponse, web};

use crate::web::error::WebError;

/// Back to a settings page after a change.
fn see(store: &str, page: &str) -> HttpResponse {
    let target = format!("/s/{store}/settings{page}");
    HttpResponse::SeeOther().insert_header((LOCATION, target)).finish()
}

/// `GET /settings`, without a store.
async fn without_store(_viewer: crate::web::door::Viewer) -> Result<HttpResponse, WebError> {
    Ok(see(crate::web::page::EVERY_STORE, ""))
}

pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/settings").get(without_store))
        .configure(stores::routes)
        .configure(endpoints::routes)
        .configure(keys::routes)
        .configure(rates::routes)
        .configure(beacon::routes)
        .configure(fetching::routes)
        .configure(go_live::routes);
}
