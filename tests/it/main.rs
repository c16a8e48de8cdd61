//! Every integration test, in one binary: each file under `tests/` would link the whole program once more.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]

mod alerts_page;
mod api;
mod backups;
mod curl_examples;
mod doctor;
mod door;
mod engines;
mod fold_equals_rebuild;
mod idempotency;
mod imports;
mod imports_page;
mod ingest;
mod inventory;
mod layout;
mod live;
mod online_retail;
mod partial_pages;
mod portable;
mod postgres;
mod privacy;
mod probes;
mod quarantine;
mod rebuild;
mod repair;
mod service;
mod simulator;
mod slow_bodies;
mod statements;
mod status_page;
mod upgrade;
mod whole_line;
mod withdrawals;
