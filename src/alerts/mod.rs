//! Detectors' verdicts, the state machine, episodes, sentences. Pure: no SQL, no HTTP, no clock.
//!
//! Each detector judges one scope at one moment from its own past and answers with a [`Verdict`]; [`advance`] turns
//! verdicts into an [`Episode`]; [`sentence()`] says in Chinese or English what happened. Start reading at [`evaluate()`].

pub mod bills;
mod episode;
mod evaluate;
mod evidence;
pub mod fees;
mod inputs;
mod machine;
mod refunds;
mod sentence;
mod series;
mod silence;
mod success_rate;
mod tail;
mod trouble;

pub use episode::{Acknowledgement, AlertKind, AlertState, Episode, Finding, Loss, Scope, Severity, Verdict};
pub use evaluate::{Change, Inputs, Known, REPLAY_HOURS_MAX, Since, apply, evaluate, replay};
pub use evidence::{Evidence, SeenHour, Surprise};
pub use inputs::{Sources, blocks_wanted, gather};
pub use machine::{Step, advance};
pub use sentence::{Told, Tongue, Where, kind_name, sentence};
pub use series::{HISTORY_DAYS, HourCell, Series, Ticket, hour_of, hour_start};
pub use trouble::{TaskStanding, Waiting};

#[cfg(test)]
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    reason = "simulated counts are small"
)]
mod simulation;
