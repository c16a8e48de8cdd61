//! Faults on purpose: the real program is killed, its disk fails, fills or loses power, its files are damaged, its
//! database goes away, and what it acknowledged must be there, once. `tests/README.md` says which test shows what,
//! how long it takes, and how to run the long ones.
//!
//! A module is a scenario with numbers: small ones in its tests, large ones by `tests/full` (see [`full`]). Every
//! scenario has a control, a server that breaks the promise on purpose (`serve --break`, debug builds only), and that
//! must be found out.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]

mod away;
mod check;
mod crowd;
mod damage;
mod dice;
mod disk_errors;
mod disk_full;
mod full;
mod ledger;
mod load;
mod mounts;
mod network;
mod power;
mod rig;
mod sigkill;

#[allow(dead_code, reason = "the other tests use more of it")]
#[path = "../it/engines.rs"]
mod engines;

#[allow(dead_code, reason = "the other tests use more of it")]
#[path = "../it/service.rs"]
mod service;
