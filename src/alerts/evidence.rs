//! What each test saw: kept with the episode, told in the sentence, shown on the detail page.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::domain::{Currency, Instant};

/// How unlikely a count is without a fault.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Surprise {
    /// −log₁₀ of the exact probability.
    pub found: f64,
    /// Above this it fires: log₁₀(looks a week ÷ false alarms allowed a week).
    pub needed: f64,
    /// How often a week such a count would turn up by chance.
    pub weekly_by_chance: f64,
}

/// Largest surprise kept: beyond it nobody can tell numbers apart, and JSON has no infinity.
const SURPRISE_MAX: f64 = 1_000.0;

impl Surprise {
    /// The surprise of one look out of `looks` a week, where `budget` false alarms a week are allowed.
    pub fn new(found: f64, looks: f64, budget: f64) -> Self {
        let found = found.min(SURPRISE_MAX);
        Self { found, needed: (looks / budget).log10(), weekly_by_chance: looks * 10_f64.powf(-found) }
    }

    /// True when it is more than chance may explain.
    pub fn fires(self) -> bool {
        self.found > self.needed
    }
}

/// One hour as the detail page draws it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeenHour {
    pub from: Instant,
    /// Failures, refunds or orders, by kind.
    pub count: i64,
    /// Out of how many; 0 where the kind has no "out of".
    pub of: i64,
    /// The usual count for that hour.
    pub usual: f64,
}

/// What a test saw.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Evidence {
    /// `failed` of `of` payments from `from` to `until`, where `usual` were to be expected.
    SuccessRateDrop {
        from: Instant,
        until: Instant,
        failed: i64,
        of: i64,
        usual: f64,
        surprise: Surprise,
        hours: Vec<SeenHour>,
    },
    /// No order since `last_order` (its hour where `exact` is false), where `usual` were to be expected.
    TrafficSilence {
        last_order: Instant,
        exact: bool,
        until: Instant,
        usual: f64,
        /// Orders in the hour of the last one, so that new ones can be told from it.
        seen: i64,
        surprise: Surprise,
    },
    /// No line of a bill for these days.
    SettlementLate {
        first_day: NaiveDate,
        last_day: NaiveDate,
        missing: i64,
        due_at: Instant,
        /// Of the `of_days` days before, so many had a bill.
        had_days: i64,
        of_days: i64,
        /// Paid on the missing days by the store's own records, minor units.
        sales: Option<i128>,
        currency: Option<Currency>,
    },
    /// Fees charged above what the reference rate gives, beyond rounding.
    FeeMismatch {
        first_day: NaiveDate,
        last_day: NaiveDate,
        days: i64,
        count: i64,
        amount: i128,
        charged: i128,
        expected: i128,
        currency: Currency,
        /// Millionths.
        reference_ppm: i64,
        /// False: no contract is entered, so the reference is what was charged before.
        by_contract: bool,
    },
    /// `refunds` from `from` to `until`, where `usual` were to be expected.
    RefundSpike {
        from: Instant,
        until: Instant,
        refunds: i64,
        usual: f64,
        amount: i128,
        currency: Option<Currency>,
        /// Who gave most of them, and how many; only where it is more than a third.
        operator: Option<(String, i64)>,
        surprise: Surprise,
        hours: Vec<SeenHour>,
    },
    /// A job failed so often in a row.
    JobFailed { failures: i64, last_success: Option<Instant>, error: String },
    /// So much waits to be counted, the oldest since then.
    IngestLag { oldest: Option<Instant>, batches: i64, rows: i64, queue_full: bool },
}
