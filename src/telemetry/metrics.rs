use std::collections::HashMap;
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, RwLock};

use prometheus::proto::MetricFamily;
use prometheus::{
    CounterVec, Encoder, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounterVec, IntGauge,
    Opts, Registry, TextEncoder,
};

use super::arrivals::IngestSeries;
use super::guarded::{Guarded, Vector};
use super::process::ProcessMetrics;
use crate::domain::Word;

/// The content type of [`Metrics::text`].
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// 5 ms to 10 s: a page aims at 50 ms, an export may take seconds.
const REQUEST_SECONDS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// 1 s to a day: live feeds lag by seconds, hourly pulls by an hour, files by a day.
const LAG_SECONDS: [f64; 9] = [1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 21_600.0, 86_400.0];
/// 100 ms to 15 min: the machine answers in seconds, people scan codes in minutes.
const PAYMENT_SECONDS: [f64; 13] =
    [0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0];
/// 100 ms to an hour: a fold is under a second, a rebuild or a backup may be long.
const TASK_SECONDS: [f64; 10] = [0.1, 0.25, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0];
/// 1 ms to 5 s: a synced commit takes milliseconds.
const DATABASE_SECONDS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0];

/// Why there are no metrics. Only a wrong definition in this file can cause it; a test makes them all.
#[derive(Debug, thiserror::Error)]
#[error("a metric is defined wrongly: {0}")]
pub struct MetricsError(#[from] prometheus::Error);

/// Every metric of this process, in one registry. Made once and handed down; the methods are in `recording.rs`.
pub struct Metrics {
    registry: Registry,
    process: ProcessMetrics,
    pub(super) snapshot_published_ms: AtomicI64,

    pub(super) http_requests_total: Guarded<IntCounterVec>,
    pub(super) http_request_duration_seconds: Guarded<HistogramVec>,
    pub(super) http_requests_in_flight: IntGauge,

    pub(super) ingest_events_total: Guarded<IntCounterVec>,
    pub(super) ingest_lag_seconds: Guarded<HistogramVec>,
    pub(super) ingest_last_event_timestamp_seconds: Guarded<GaugeVec>,
    pub(super) ingest_last_received_timestamp_seconds: Guarded<GaugeVec>,
    /// Series of providers and kinds that were counted before.
    pub(super) ingest_series: RwLock<HashMap<(Word, &'static str), Arc<IngestSeries>>>,
    pub(super) webhook_notices_total: Guarded<IntCounterVec>,
    pub(super) webhook_refused_total: Guarded<IntCounterVec>,
    pub(super) webhook_unread_fields_total: Guarded<IntCounterVec>,
    pub(super) beacon_events_total: Guarded<IntCounterVec>,
    pub(super) ingest_queue_events: IntGauge,
    pub(super) ingest_queue_capacity_events: IntGauge,

    pub(super) fold_rows_total: Guarded<IntCounterVec>,
    pub(super) fold_duration_seconds: Histogram,
    pub(super) snapshot_age_seconds: Gauge,
    pub(super) inbox_batches: IntGauge,
    pub(super) rollup_cache_bytes: IntGauge,
    pub(super) inbox_held_batches: IntGauge,
    pub(super) lake_files_quarantined: IntGauge,
    pub(super) fold_filter_bytes: IntGauge,

    pub(super) payment_attempts_total: Guarded<IntCounterVec>,
    pub(super) payment_orders_total: Guarded<IntCounterVec>,
    pub(super) payment_failures_total: Guarded<IntCounterVec>,
    pub(super) payment_amount_total: Guarded<CounterVec>,
    pub(super) payment_duration_seconds: Guarded<HistogramVec>,
    pub(super) payments_pending: Guarded<GaugeVec>,
    pub(super) refunds_total: Guarded<IntCounterVec>,
    pub(super) refund_amount_total: Guarded<CounterVec>,

    pub(super) alerts: Guarded<GaugeVec>,
    pub(super) alert_transitions_total: Guarded<IntCounterVec>,
    pub(super) alert_evaluations_total: Guarded<IntCounterVec>,
    pub(super) alert_evaluation_duration_seconds: Guarded<HistogramVec>,
    pub(super) alert_last_evaluation_timestamp_seconds: Guarded<GaugeVec>,
    pub(super) alert_evaluation_interval_seconds: Guarded<GaugeVec>,
    pub(super) alert_series: Guarded<GaugeVec>,

    pub(super) reconciliation_findings: Guarded<GaugeVec>,
    pub(super) reconciliation_waiting: IntGauge,

    pub(super) notifications_total: Guarded<IntCounterVec>,
    pub(super) notification_duration_seconds: Guarded<HistogramVec>,
    pub(super) notifications_pending: Guarded<GaugeVec>,
    pub(super) notification_last_success_timestamp_seconds: Guarded<GaugeVec>,

    pub(super) bill_fetches_total: Guarded<IntCounterVec>,
    pub(super) bill_fetch_last_success_timestamp_seconds: Guarded<GaugeVec>,

    pub(super) task_runs_total: Guarded<IntCounterVec>,
    pub(super) task_duration_seconds: Guarded<HistogramVec>,
    pub(super) task_last_success_timestamp_seconds: Guarded<GaugeVec>,
    pub(super) task_interval_seconds: Guarded<GaugeVec>,

    pub(super) db_connections: Guarded<GaugeVec>,
    pub(super) db_connections_max: IntGauge,
    pub(super) db_query_duration_seconds: Guarded<HistogramVec>,
    pub(super) db_errors_total: Guarded<IntCounterVec>,
    pub(super) db_size_bytes: IntGauge,
}

impl Metrics {
    /// Defines and registers everything; label values of closed sets start at 0.
    ///
    /// # Errors
    /// [`MetricsError`] when a definition below is wrong.
    #[expect(clippy::too_many_lines, reason = "one list of definitions, to be read as a table")]
    pub fn new() -> Result<Self, MetricsError> {
        let define = Definer::new()?;
        let metrics = Self {
            snapshot_published_ms: AtomicI64::new(0),
            ingest_series: RwLock::default(),
            http_requests_total: define.counters(
                "http_requests_total",
                "Answered HTTP requests, by matched route.",
                &["route", "method", "code"],
                1,
            )?,
            http_request_duration_seconds: define.histograms(
                "http_request_duration_seconds",
                "Time from reading a request's head to its answer's head.",
                &["route", "method"],
                1,
                &REQUEST_SECONDS,
            )?,
            http_requests_in_flight: define
                .gauge("http_requests_in_flight", "HTTP requests being answered now.")?,

            ingest_events_total: define.counters(
                "ingest_events_total",
                "Records received, by what became of them; late ones are more than a day old and accepted, ignored ones are of another kind than this server keeps.",
                &["provider", "kind", "result"],
                1,
            )?,
            ingest_lag_seconds: define.histograms(
                "ingest_lag_seconds",
                "From what a transaction row tells of to its receipt.",
                &["provider"],
                1,
                &LAG_SECONDS,
            )?,
            ingest_last_event_timestamp_seconds: define.gauges(
                "ingest_last_event_timestamp_seconds",
                "The youngest event received, Unix time.",
                &["provider"],
                1,
            )?,
            ingest_last_received_timestamp_seconds: define.gauges(
                "ingest_last_received_timestamp_seconds",
                "When a record last came in, Unix time.",
                &["provider"],
                1,
            )?,
            webhook_notices_total: define.counters(
                "webhook_notices_total",
                "What providers' notices said, by what became of it; a batch holds several.",
                &["provider", "result"],
                0,
            )?,
            webhook_refused_total: define.counters(
                "webhook_refused_total",
                "Notices that could not be proved, by reason. Nothing of them is kept.",
                &["provider", "reason"],
                0,
            )?,
            webhook_unread_fields_total: define.counters(
                "webhook_unread_fields_total",
                "Fields of proved notices that nothing is made of.",
                &["provider"],
                0,
            )?,
            beacon_events_total: define.counters(
                "beacon_events_total",
                "Events that shoppers' browsers sent, by what became of them; a request that is refused whole is one.",
                &["result"],
                0,
            )?,
            ingest_queue_events: define
                .gauge("ingest_queue_events", "Records accepted by a request and not committed yet.")?,
            ingest_queue_capacity_events: define.gauge(
                "ingest_queue_capacity_events",
                "Records the intake queue holds before it answers 429.",
            )?,

            fold_rows_total: define.counters(
                "fold_rows_total",
                "Rows folded into the lake, by what they were.",
                &["stream", "result"],
                0,
            )?,
            fold_duration_seconds: define.histogram(
                "fold_duration_seconds",
                "One fold, from listing the batches to its commit.",
                &TASK_SECONDS,
            )?,
            snapshot_age_seconds: define
                .float_gauge("snapshot_age_seconds", "Age of the data that pages show, at the scrape.")?,
            inbox_batches: define.gauge("inbox_batches", "Committed batches that wait to be folded.")?,
            fold_filter_bytes: define
                .gauge("fold_filter_bytes", "Memory of the filters by which folds know new keys.")?,
            rollup_cache_bytes: define.gauge("rollup_cache_bytes", "Memory of rollup blocks at hand.")?,
            inbox_held_batches: define.gauge(
                "inbox_held_batches",
                "Committed batches that were set aside: they cannot be folded.",
            )?,
            lake_files_quarantined: define.gauge(
                "lake_files_quarantined",
                "Files of records that are damaged or missing: pages made from rows are partial.",
            )?,

            payment_attempts_total: define.counters(
                "payment_attempts_total",
                "Payment attempts that reached an outcome.",
                &["provider", "method", "outcome"],
                2,
            )?,
            payment_orders_total: define.counters(
                "payment_orders_total",
                "Orders whose attempts reached an outcome; an order with one paid attempt succeeded.",
                &["provider", "method", "outcome"],
                2,
            )?,
            payment_failures_total: define.counters(
                "payment_failures_total",
                "Failed payment attempts, by class of the failure.",
                &["provider", "method", "reason"],
                3,
            )?,
            payment_amount_total: define.amounts(
                "payment_amount_total",
                "Amount paid, major units.",
                &["provider", "currency"],
                1,
            )?,
            payment_duration_seconds: define.histograms(
                "payment_duration_seconds",
                "From the start of a paid attempt to its completion.",
                &["provider", "method"],
                2,
                &PAYMENT_SECONDS,
            )?,
            payments_pending: define.gauges(
                "payments_pending",
                "Payments without an outcome yet.",
                &["provider"],
                1,
            )?,
            refunds_total: define.counters(
                "refunds_total",
                "Refunds that reached an outcome.",
                &["provider", "outcome"],
                1,
            )?,
            refund_amount_total: define.amounts(
                "refund_amount_total",
                "Amount given back, major units.",
                &["provider", "currency"],
                1,
            )?,

            alerts: define.gauges("alerts", "Alerts by state.", &["kind", "severity", "state"], 0)?,
            alert_transitions_total: define.counters(
                "alert_transitions_total",
                "Changes of an alert's state.",
                &["kind", "to"],
                0,
            )?,
            alert_evaluations_total: define.counters(
                "alert_evaluations_total",
                "Evaluations of an alert kind.",
                &["kind", "result"],
                0,
            )?,
            alert_evaluation_duration_seconds: define.histograms(
                "alert_evaluation_duration_seconds",
                "One evaluation of an alert kind over all its series.",
                &["kind"],
                0,
                &REQUEST_SECONDS,
            )?,
            alert_last_evaluation_timestamp_seconds: define.gauges(
                "alert_last_evaluation_timestamp_seconds",
                "When an alert kind was last evaluated, Unix time.",
                &["kind"],
                0,
            )?,
            alert_evaluation_interval_seconds: define.gauges(
                "alert_evaluation_interval_seconds",
                "How often an alert kind is to be evaluated.",
                &["kind"],
                0,
            )?,
            alert_series: define.gauges(
                "alert_series",
                "Series an alert kind watches, by readiness.",
                &["kind", "status"],
                0,
            )?,
            reconciliation_findings: define.gauges(
                "reconciliation_findings",
                "Findings of reconciliation over the last 31 source days that were not settled by hand, by class.",
                &["class"],
                0,
            )?,
            reconciliation_waiting: define.gauge(
                "reconciliation_waiting",
                "Source days whose rows changed and which are not reconciled again yet.",
            )?,

            notifications_total: define.counters(
                "notifications_total",
                "Deliveries tried, by result.",
                &["channel", "result"],
                1,
            )?,
            notification_duration_seconds: define.histograms(
                "notification_duration_seconds",
                "One try to deliver.",
                &["channel"],
                1,
                &REQUEST_SECONDS,
            )?,
            notifications_pending: define.gauges(
                "notifications_pending",
                "Notifications that wait in the outbox.",
                &["channel"],
                1,
            )?,
            notification_last_success_timestamp_seconds: define.gauges(
                "notification_last_success_timestamp_seconds",
                "When a channel last took a notification, Unix time.",
                &["channel"],
                1,
            )?,

            bill_fetches_total: define.counters(
                "bill_fetches_total",
                "Bills asked for at a provider, by where they stand after it.",
                &["provider", "result"],
                0,
            )?,
            bill_fetch_last_success_timestamp_seconds: define.gauges(
                "bill_fetch_last_success_timestamp_seconds",
                "When a provider last gave a bill or said that there was nothing, Unix time.",
                &["provider"],
                0,
            )?,

            task_runs_total: define.counters(
                "task_runs_total",
                "Runs of a background task.",
                &["task", "result"],
                0,
            )?,
            task_duration_seconds: define.histograms(
                "task_duration_seconds",
                "One run of a background task.",
                &["task"],
                0,
                &TASK_SECONDS,
            )?,
            task_last_success_timestamp_seconds: define.gauges(
                "task_last_success_timestamp_seconds",
                "When a background task last succeeded, Unix time.",
                &["task"],
                0,
            )?,
            task_interval_seconds: define.gauges(
                "task_interval_seconds",
                "How often a background task is to run.",
                &["task"],
                0,
            )?,

            db_connections: define.gauges(
                "db_connections",
                "Open database connections for reading.",
                &["state"],
                0,
            )?,
            db_connections_max: define
                .gauge("db_connections_max", "Most database connections for reading.")?,
            db_query_duration_seconds: define.histograms(
                "db_query_duration_seconds",
                "Time of a database operation.",
                &["operation"],
                0,
                &DATABASE_SECONDS,
            )?,
            db_errors_total: define.counters(
                "db_errors_total",
                "Database operations that failed.",
                &["operation", "reason"],
                1,
            )?,
            db_size_bytes: define.gauge("db_size_bytes", "Size of the database file and its log.")?,

            process: ProcessMetrics::new()?,
            registry: define.registry,
        };
        metrics.start_at_zero();
        Ok(metrics)
    }

    /// Every family, sorted by name.
    pub(super) fn gather(&self) -> Vec<MetricFamily> {
        let mut families = self.registry.gather();
        families.extend(self.process.gather());
        families.sort_by(|a, b| a.name().cmp(b.name()));
        families
    }

    /// The text that Prometheus reads, as of `now_ms`. Reads memory and `/proc` only, never the database.
    ///
    /// # Errors
    /// [`MetricsError`] when the encoder refuses, which it does for empty families only.
    pub fn text(&self, now_ms: i64) -> Result<Vec<u8>, MetricsError> {
        self.age_snapshot(now_ms);
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.gather(), &mut text)?;
        Ok(text)
    }
}

/// Makes metrics and registers them, each once.
struct Definer {
    registry: Registry,
    overflow: IntCounterVec,
}

impl Definer {
    fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new_custom(Some("tillwatch".to_owned()), None)?;
        let overflow = IntCounterVec::new(
            Opts::new("metrics_overflow_total", "Label values counted as `other` because a metric is full."),
            &["metric"],
        )?;
        registry.register(Box::new(overflow.clone()))?;
        let build = GaugeVec::new(
            Opts::new("build_info", "What is running; always 1."),
            &["version", "revision", "rustc"],
        )?;
        let revision = option_env!("TILLWATCH_REVISION").unwrap_or("unknown");
        build.with_label_values(&[env!("CARGO_PKG_VERSION"), revision, env!("TILLWATCH_RUSTC")]).set(1.0);
        registry.register(Box::new(build))?;
        Ok(Self { registry, overflow })
    }

    fn guard<V: Vector>(
        &self,
        name: &'static str,
        vector: V,
        open: usize,
    ) -> Result<Guarded<V>, prometheus::Error> {
        self.registry.register(Box::new(vector.clone()))?;
        // Touched, so that the overflow of every metric is exported as 0.
        self.overflow.with_label_values(&[name]);
        Ok(Guarded::new(name, vector, open, self.overflow.clone()))
    }

    fn counters(
        &self,
        name: &'static str,
        help: &str,
        labels: &[&str],
        open: usize,
    ) -> Result<Guarded<IntCounterVec>, prometheus::Error> {
        self.guard(name, IntCounterVec::new(Opts::new(name, help), labels)?, open)
    }

    fn amounts(
        &self,
        name: &'static str,
        help: &str,
        labels: &[&str],
        open: usize,
    ) -> Result<Guarded<CounterVec>, prometheus::Error> {
        self.guard(name, CounterVec::new(Opts::new(name, help), labels)?, open)
    }

    fn gauges(
        &self,
        name: &'static str,
        help: &str,
        labels: &[&str],
        open: usize,
    ) -> Result<Guarded<GaugeVec>, prometheus::Error> {
        self.guard(name, GaugeVec::new(Opts::new(name, help), labels)?, open)
    }

    fn histograms(
        &self,
        name: &'static str,
        help: &str,
        labels: &[&str],
        open: usize,
        buckets: &[f64],
    ) -> Result<Guarded<HistogramVec>, prometheus::Error> {
        let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
        self.guard(name, HistogramVec::new(options, labels)?, open)
    }

    fn histogram(&self, name: &str, help: &str, buckets: &[f64]) -> Result<Histogram, prometheus::Error> {
        let histogram = Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets.to_vec()))?;
        self.registry.register(Box::new(histogram.clone()))?;
        Ok(histogram)
    }

    fn gauge(&self, name: &str, help: &str) -> Result<IntGauge, prometheus::Error> {
        let gauge = IntGauge::new(name, help)?;
        self.registry.register(Box::new(gauge.clone()))?;
        Ok(gauge)
    }

    fn float_gauge(&self, name: &str, help: &str) -> Result<Gauge, prometheus::Error> {
        let gauge = Gauge::new(name, help)?;
        self.registry.register(Box::new(gauge.clone()))?;
        Ok(gauge)
    }
}
