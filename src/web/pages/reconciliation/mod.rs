//! Reconciliation: what should have arrived and what has, a page per source day, exceptions and what people did about
//! them, what accounts agreed on, closed periods.

mod accounts;
mod books;
mod closing;
mod day;
mod exceptions;
mod finding;
mod overview;
mod shown;

use actix_web::web;

pub fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/s/{store}/reconciliation", web::get().to(overview::show))
        .route("/s/{store}/reconciliation/days/{day}", web::get().to(day::show))
        .route("/s/{store}/reconciliation/exceptions", web::get().to(exceptions::show))
        .route("/s/{store}/reconciliation/exceptions.csv", web::get().to(exceptions::export))
        .service(
            web::resource("/s/{store}/reconciliation/findings/{id}").get(finding::show).post(finding::act),
        )
        .service(
            web::resource("/s/{store}/reconciliation/accounts").get(accounts::list).post(accounts::replace),
        )
        .service(web::resource("/s/{store}/reconciliation/closings").get(closing::list).post(closing::close))
        .route("/s/{store}/reconciliation/closings/{id}", web::get().to(closing::show));
}
