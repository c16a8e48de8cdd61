//! Tillwatch (账衡) takes in every payment a shop makes and shows what was earned, what it cost, what sells and
//! what is going wrong. This file is the map.
//!
//! # The way of a record
//!
//! ```text
//! bytes ──► intake ──► inbox ──► fold ──► lake + rollups ──► snapshot ──► reports ──► pages, CSV
//!                                                                  └──► alerts ──► notifications, /metrics
//! ```
//!
//! One direction. Start reading in this order: `domain/transaction.rs`, `jobs/fold/mod.rs`, `web/pages/fees.rs`.
//!
//! # Rooms
//!
//! Rooms stand in a row, as below. Code may name only rooms above its own (`tests/it/layout.rs` holds it).
//! Polars lives in `lake` and `analytics`, sqlx in `store`, actix-web and askama in `web`, the clock in
//! `domain::clock`, the environment in `app::config`.
//!
//! # Invariants
//!
//! 1. A 2xx from intake means the accepted rows are committed. Sending a batch twice changes nothing.
//! 2. Every file and every rollup equals a full rebuild from the live rows.
//! 3. Two currencies are never added; no float in a money path; rates are made when shown.
//! 4. One page, one snapshot; an export holds the same figures as the screen, to the minor unit.
//! 5. The figure on a page equals the sum of the rows behind its link.
//! 6. No card number is stored anywhere; no shopper's raw id outside sealed originals.
//! 7. Only `domain::clock` knows the time; only `app::config` knows the environment.

pub mod alerts;
pub mod analytics;
pub mod app;
pub mod domain;
pub mod intake;
pub mod jobs;
pub mod lake;
pub mod reports;
pub mod store;
pub mod telemetry;
pub mod web;
