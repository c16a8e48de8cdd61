//! The address of a report is its state: period, comparison, filters, breakdown, currency. Read here, written here.
//!
//! Defaults are left out of links. A parameter we do not know is ignored and said so; a value we cannot read is an
//! error that keeps the form as it was filled in.

mod bar;
mod grammar;

pub use bar::{Chip, Choice, FilterBar, Options};
pub use grammar::{FilterError, Filters, PARAMETERS_MAX, VALUES_MAX};
