//! A demo that looks like a real life: three stores, ninety days, and what goes wrong in them.
//!
//! The history is a pure function of a seed and an end: [`History`] makes it day by day from whole numbers,
//! without a clock, in an order that no map decides. [`Script`] says what is planted. The same makers feed
//! the live client afterwards, which sends through the public HTTP API like anybody else.

mod aftermath;
mod basket;
mod bills;
pub mod client;
mod day;
mod funnel;
mod goods;
mod history;
pub mod installation;
pub mod loading;
mod order;
mod rails;
mod random;
mod script;
mod shops;
mod state;
mod traffic;
mod wire;

pub use bills::BillFile;
pub use history::{Bundle, DAYS_MAX, History, Outline};
pub use script::Script;
pub use shops::{SHOPS, Shop};
pub use traffic::{Happening, Traffic};
