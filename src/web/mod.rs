//! Routes, pages, charts, exports, the door.

pub mod assets;
pub mod charts;
pub mod choices;
pub mod numbers;
pub mod page;
pub mod respond;
pub mod texts;
