//! One file per page: the query it reads, the template it fills, the handler.

mod account;
mod alerts;
mod categories;
mod choices;
mod conversion;
mod customers;
mod daily_close;
mod fees;
mod home;
mod imports;
mod limbo;
mod login;
mod over_time;
mod overview;
mod reconciliation;
mod robot;
mod settings;
mod setup;
mod status;
mod store_fields;
mod transaction;
mod transactions;

pub use home::nowhere;
pub use store_fields::{CURRENCIES, ZONES};

use actix_web::web::ServiceConfig;

use crate::reports;
use crate::web::asked;

/// The routes of each page. A page adds its line here.
const PAGES: &[fn(&mut ServiceConfig)] = &[
    account::routes,
    alerts::routes,
    asked::routes::<reports::Categories>,
    asked::routes::<conversion::ConversionReport>,
    asked::routes::<customers::CustomersReport>,
    asked::routes::<reports::DailyClose>,
    asked::routes::<reports::Fees>,
    asked::routes::<reports::Overview>,
    asked::routes::<transactions::TransactionsReport>,
    transaction::routes,
    home::routes,
    imports::routes,
    limbo::routes,
    login::routes,
    reconciliation::routes,
    robot::routes,
    settings::routes,
    setup::routes,
    status::routes,
];

/// Routes of every page.
pub fn routes(config: &mut ServiceConfig) {
    for page in PAGES {
        config.configure(*page);
    }
}
