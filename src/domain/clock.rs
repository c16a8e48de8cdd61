use std::sync::Mutex;

use chrono::{DateTime, TimeDelta, Utc};

/// A moment, always UTC.
pub type Instant = DateTime<Utc>;

/// The only source of the present moment. Everything else is handed an [`Instant`].
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Instant;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the machine for the time")]
    fn now(&self) -> Instant {
        Utc::now()
    }
}

/// A clock that stands still until it is moved; for tests and for replays.
#[derive(Debug)]
pub struct FixedClock(Mutex<Instant>);

impl FixedClock {
    /// A clock that shows `at`.
    pub fn at(at: Instant) -> Self {
        Self(Mutex::new(at))
    }

    /// Moves the clock forward (or back, with a negative span).
    pub fn advance(&self, span: TimeDelta) {
        let mut shown = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *shown += span;
    }

    /// Sets the clock.
    pub fn set(&self, at: Instant) {
        *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = at;
    }
}

impl Clock for FixedClock {
    fn now(&self) -> Instant {
        *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// The instant of `ms` milliseconds after 1970 UTC, clamped to what the calendar can hold.
pub fn instant_from_ms(ms: i64) -> Instant {
    DateTime::from_timestamp_millis(ms).unwrap_or(if ms < 0 { Instant::MIN_UTC } else { Instant::MAX_UTC })
}
