//! Routes, pages, charts, exports, the door.

pub mod api;
pub mod asked;
pub mod assets;
pub mod charts;
pub mod choices;
pub mod connections;
pub mod door;
pub mod error;
pub mod filters;
pub mod firing;
mod foot;
pub mod form;
mod gate;
mod head;
mod kpi;
mod measure;
pub mod numbers;
pub mod page;
mod pages;
mod probes;
pub mod respond;
mod routes;
pub mod sheet;
mod state;
pub mod texts;

pub use error::WebError;
pub use gate::{RequestId, gate};
pub use measure::measure;
pub use routes::routes;
pub use state::{AppState, WebConfig};
