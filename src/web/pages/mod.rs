//! One file per page: the query it reads, the template it fills, the handler.

mod account;
mod categories;
mod choices;
mod conversion;
mod customers;
mod daily_close;
mod fees;
mod home;
mod login;
mod over_time;
mod overview;
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

/// Routes of every page. A page adds its line here.
pub fn routes(config: &mut ServiceConfig) {
    config
        .configure(account::routes)
        .configure(asked::routes::<reports::Categories>)
        .configure(asked::routes::<conversion::ConversionReport>)
        .configure(asked::routes::<customers::CustomersReport>)
        .configure(asked::routes::<reports::DailyClose>)
        .configure(asked::routes::<reports::Fees>)
        .configure(asked::routes::<reports::Overview>)
        .configure(asked::routes::<transactions::TransactionsReport>)
        .configure(transaction::routes)
        .configure(home::routes)
        .configure(login::routes)
        .configure(setup::routes)
        .configure(status::routes);
}
