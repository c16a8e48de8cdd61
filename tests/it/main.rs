//! Every integration test, in one binary: each file under `tests/` would link the whole program once more.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]

mod alerts_page;
mod api;
mod curl_examples;
mod door;
mod engines;
mod fold_equals_rebuild;
mod imports;
mod inventory;
mod kill;
mod layout;
mod live;
mod online_retail;
mod postgres;
mod probes;
mod quarantine;
mod service;
mod slow_bodies;
mod statements;
mod status_page;
mod whole_line;
