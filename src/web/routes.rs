use actix_web::web::{ServiceConfig, get};

use super::probes;

/// Every route of the service. A page adds its line here.
pub fn routes(config: &mut ServiceConfig) {
    config
        .route("/healthz", get().to(probes::health))
        .route("/readyz", get().to(probes::readiness))
        .route("/metrics", get().to(probes::metrics));
}
