//! What accepted records do to the metrics: a batch is counted together, for finding a series takes longer than
//! counting a row.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

use prometheus::{Gauge, Histogram, IntCounter};

use super::Metrics;
use super::guarded::SERIES_MAX;
use super::recording::{IngestResult, provider_label, raise_series, seconds_of_ms};
use crate::domain::{Instant, Word};

/// A row that tells of something older than this is counted as late.
const LATE_AFTER_MS: i64 = 24 * 3600 * 1000;

/// What the metrics want to know of an accepted record.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    pub provider: Option<Word>,
    pub kind: &'static str,
    /// When it happened, or changed last.
    pub told_at: Instant,
    /// False for bills: they come days later by nature, so none is late and no lag is measured.
    pub live: bool,
}

/// Arrivals of one batch, counted together by provider and kind.
#[derive(Clone, Debug)]
pub struct Arrivals {
    received_at: Instant,
    groups: Vec<ArrivalGroup>,
    places: HashMap<(Word, &'static str), usize>,
    /// The group of the arrival before: mostly the next one's too.
    last: usize,
}

#[derive(Clone, Debug)]
struct ArrivalGroup {
    provider: Word,
    kind: &'static str,
    accepted: u64,
    late: u64,
    youngest_s: i64,
    /// Of live rows only.
    lags_ms: Vec<i64>,
}

impl Arrivals {
    /// None yet.
    pub fn at(received_at: Instant) -> Self {
        Self { received_at, groups: Vec::new(), places: HashMap::new(), last: 0 }
    }

    /// When they came.
    pub const fn received_at(&self) -> Instant {
        self.received_at
    }

    /// One more.
    pub fn add(&mut self, arrival: &Arrival) {
        let lag_ms = (self.received_at - arrival.told_at).num_milliseconds().max(0);
        let group = self.group(arrival.provider.unwrap_or(Word::NONE), arrival.kind);
        group.youngest_s = group.youngest_s.max(arrival.told_at.timestamp());
        if arrival.live {
            group.lags_ms.push(lag_ms);
        }
        if arrival.live && lag_ms > LATE_AFTER_MS {
            group.late += 1;
        } else {
            group.accepted += 1;
        }
    }

    fn group(&mut self, provider: Word, kind: &'static str) -> &mut ArrivalGroup {
        let is_it = |group: &ArrivalGroup| group.provider == provider && std::ptr::eq(group.kind, kind);
        if !self.groups.get(self.last).is_some_and(is_it) {
            self.last = *self.places.entry((provider, kind)).or_insert(self.groups.len());
            if self.last == self.groups.len() {
                let (accepted, late, youngest_s, lags_ms) = (0, 0, i64::MIN, Vec::new());
                self.groups.push(ArrivalGroup { provider, kind, accepted, late, youngest_s, lags_ms });
            }
        }
        &mut self.groups[self.last]
    }
}

/// The series of one provider and kind, found once.
pub(super) struct IngestSeries {
    accepted: IntCounter,
    late: IntCounter,
    lag: Histogram,
    last_event: Gauge,
    last_received: Gauge,
}

impl Metrics {
    /// Records that are durable now: counts, lag, freshness.
    pub fn records_accepted(&self, arrivals: &Arrivals) {
        for group in &arrivals.groups {
            let series = self.ingest_series(group.provider, group.kind);
            series.accepted.inc_by(group.accepted);
            series.late.inc_by(group.late);
            let lag = series.lag.local();
            for lag_ms in &group.lags_ms {
                lag.observe(seconds_of_ms(*lag_ms));
            }
            lag.flush();
            raise_series(&series.last_event, group.youngest_s);
            raise_series(&series.last_received, arrivals.received_at.timestamp());
        }
    }

    fn ingest_series(&self, provider: Word, kind: &'static str) -> Arc<IngestSeries> {
        let known = self.ingest_series.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(series) = known.get(&(provider, kind)) {
            return Arc::clone(series);
        }
        drop(known);
        let label = provider_label(Some(provider).filter(|provider| !provider.is_none()));
        self.know_provider(label, kind);
        let counted = |result: IngestResult| self.ingest_events_total.with(&[label, kind, result.as_str()]);
        let series = Arc::new(IngestSeries {
            accepted: counted(IngestResult::Accepted),
            late: counted(IngestResult::Late),
            lag: self.ingest_lag_seconds.with(&[label]),
            last_event: self.ingest_last_event_timestamp_seconds.with(&[label]),
            last_received: self.ingest_last_received_timestamp_seconds.with(&[label]),
        });
        let mut known = self.ingest_series.write().unwrap_or_else(PoisonError::into_inner);
        // As many as may be exported; the labels of others have become `other`, and are found anew each time.
        if known.len() < SERIES_MAX {
            known.insert((provider, kind), Arc::clone(&series));
        }
        series
    }
}
