//! One file per page: the query it reads, the template it fills, the handler.

mod account;
mod home;
mod login;
mod setup;
mod status;
mod store_fields;

pub use home::nowhere;
pub use store_fields::{CURRENCIES, ZONES};

use actix_web::web::ServiceConfig;

/// Routes of every page. A page adds its line here.
pub fn routes(config: &mut ServiceConfig) {
    config
        .configure(account::routes)
        .configure(home::routes)
        .configure(login::routes)
        .configure(setup::routes)
        .configure(status::routes);
}
