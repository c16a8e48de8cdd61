use actix_web::web::{ServiceConfig, get, to};

use super::{api, assets, choices, pages, probes};

/// Every route of the service. A page adds its line here.
pub fn routes(config: &mut ServiceConfig) {
    config
        .route("/healthz", get().to(probes::health))
        .route("/readyz", get().to(probes::readiness))
        .route("/metrics", get().to(probes::metrics))
        .configure(api::routes)
        .configure(assets::routes)
        .configure(choices::routes)
        .configure(pages::routes)
        .default_service(to(pages::nowhere));
}
