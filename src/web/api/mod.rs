//! The HTTP API's way in: `POST /api/v1/transactions`, `…/checkout-events`, `…/ledger-lines`; and providers' notices.

mod answer;
mod body;
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
            resource("/api/v1/ledger-lines")
                .route(post().to(receive::ledger_lines))
                .default_service(to(receive::wrong_method)),
        );
}
