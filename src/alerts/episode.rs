//! What is watched, what a test found, and an episode: one incident from first suspicion to recovery.

use serde::{Deserialize, Serialize};

use crate::domain::{Currency, Instant, StoreId, Word};

use super::Evidence;

/// What kind of trouble an alert tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertKind {
    /// More payments fail than is usual for this provider and store.
    SuccessRateDrop,
    /// No order where many are usual.
    TrafficSilence,
    /// A bill that is due has not come.
    SettlementLate,
    /// Fees above the contract, or above what was charged before.
    FeeMismatch,
    /// Far more refunds than usual.
    RefundSpike,
    /// A job fails again and again.
    JobFailed,
    /// Received records wait too long to be counted.
    IngestLag,
}

impl AlertKind {
    /// Every kind.
    pub const ALL: &'static [Self] = &[
        Self::SuccessRateDrop,
        Self::TrafficSilence,
        Self::SettlementLate,
        Self::FeeMismatch,
        Self::RefundSpike,
        Self::JobFailed,
        Self::IngestLag,
    ];

    /// The word in SQL, metrics and addresses.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SuccessRateDrop => "success_rate_drop",
            Self::TrafficSilence => "traffic_silence",
            Self::SettlementLate => "settlement_late",
            Self::FeeMismatch => "fee_mismatch",
            Self::RefundSpike => "refund_spike",
            Self::JobFailed => "job_failed",
            Self::IngestLag => "ingest_lag",
        }
    }

    /// The kind of a word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == text)
    }

    /// True for kinds judged by payment data: frozen while that data cannot be trusted.
    pub const fn needs_data(self) -> bool {
        !matches!(self, Self::JobFailed | Self::IngestLag)
    }

    /// True for kinds whose past hours are judged again when data arrive late.
    pub const fn is_hourly(self) -> bool {
        matches!(self, Self::SuccessRateDrop | Self::TrafficSilence | Self::RefundSpike)
    }
}

/// What an alert is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Scope {
    pub kind: AlertKind,
    /// `None`: the installation itself.
    pub store: Option<StoreId>,
    /// [`Word::NONE`]: not about one provider.
    pub provider: Word,
    /// Account or job; empty where the kind needs none.
    pub subject: String,
}

/// How bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Warning,
    Critical,
}

impl Severity {
    /// The word in SQL and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }

    /// The severity of a word.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Warning, Self::Critical].into_iter().find(|severity| severity.as_str() == text)
    }
}

/// An estimate of money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loss {
    /// Minor units.
    pub minor: i128,
    pub currency: Currency,
}

/// What a test found.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    pub onset_at: Instant,
    pub severity: Severity,
    /// `None`: not known, which is not 0.
    pub loss: Option<Loss>,
    pub evidence: Evidence,
}

/// What one evaluation says about a scope.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Too little own history to say what is usual.
    Learning,
    /// Nothing to judge by: changes no state.
    NoData,
    /// Nothing unusual; while firing: the recovery test holds on data younger than the onset.
    Calm,
    /// Unusual; while firing: not recovered.
    Alarm(Box<Finding>),
}

/// Where an episode stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlertState {
    Pending,
    Firing,
    Resolved,
}

impl AlertState {
    /// The word in SQL and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Firing => "firing",
            Self::Resolved => "resolved",
        }
    }

    /// The state of a word.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Pending, Self::Firing, Self::Resolved].into_iter().find(|state| state.as_str() == text)
    }
}

/// Somebody has taken the alert on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acknowledgement {
    pub by: String,
    pub reason: String,
    pub at: Instant,
    /// Reminders are quiet until then; the state goes on by itself.
    pub until: Option<Instant>,
}

/// One incident of one scope.
#[derive(Clone, Debug, PartialEq)]
pub struct Episode {
    /// 0: not stored yet.
    pub id: i64,
    pub scope: Scope,
    pub state: AlertState,
    pub severity: Severity,
    /// When it began, as people read it.
    pub onset_at: Instant,
    pub pending_at: Instant,
    pub fired_at: Option<Instant>,
    pub resolved_at: Option<Instant>,
    pub evaluated_at: Instant,
    /// Evaluations in a row with the present verdict.
    pub rounds: i64,
    pub calm_since: Option<Instant>,
    pub frozen: bool,
    /// Found only after it was over: never sent as urgent.
    pub found_late: bool,
    pub loss: Option<Loss>,
    pub evidence: Evidence,
    pub acknowledged: Option<Acknowledgement>,
}

impl Episode {
    /// True while an acknowledgement is in force.
    pub fn is_acknowledged(&self, at: Instant) -> bool {
        self.acknowledged.as_ref().is_some_and(|ack| ack.until.is_none_or(|until| at < until))
    }
}
