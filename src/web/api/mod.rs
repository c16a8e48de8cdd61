//! The HTTP API's way in: `POST /api/v1/transactions`, `…/checkout-events` (also in the shapes of others),
//! `…/ledger-lines`; providers' notices; events from shoppers' browsers.

mod answer;
mod body;
mod collect;
mod funnel;
mod hooks;
mod idempotency;
mod receive;

use actix_web::web::{ServiceConfig, post, resource, to};

pub use body::BodyLimits;
pub use idempotency::IDEMPOTENCY_KEY_CHARS_MAX;

/// The routes of the API.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(
            resource("/api/v1/transactions")
                .route(post().to(receive::transactions))
                .default_service(to(receive::wrong_method)),
        )
        .service(
            resource("/api/v1/checkout-events")
                .route(post().to(receive::checkout_events))
                .default_service(to(receive::wrong_method)),
        )
        .service(
            resource("/hooks/{provider}/{endpoint}")
                .route(post().to(hooks::direct))
                .default_service(to(receive::wrong_method)),
        )
        .service(
            resource("/hooks/{provider}/{endpoint}/forwarded")
                .route(post().to(hooks::forwarded))
                .default_service(to(receive::wrong_method)),
        )
        .service(
            resource("/api/v1/checkout-events/ga4")
                .route(post().to(funnel::ga4))
                .default_service(to(receive::wrong_method)),
        )
        .service(
            resource("/api/v1/checkout-events/segment")
                .route(post().to(funnel::segment))
                .default_service(to(receive::wrong_method)),
        )
        .service(
            resource("/api/v1/checkout-events/cloudevents")
                .route(post().to(funnel::cloud_events))
                .default_service(to(receive::wrong_method)),
        )
        .service(
            resource("/api/v1/ledger-lines")
                .route(post().to(receive::ledger_lines))
                .default_service(to(receive::wrong_method)),
        )
        .route("/collect/{site}", post().to(collect::collect));
}
