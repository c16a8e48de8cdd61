use std::sync::Arc;
use std::sync::atomic::Ordering;

use prometheus::{Gauge, GaugeVec};

use super::Metrics;
use super::guarded::Guarded;
use crate::domain::{BillProvider, Instant, Money, Stream, Word};

/// The label value of "not given".
const NOT_GIVEN: &str = "none";

/// Makes a closed set of label values.
macro_rules! label_values {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($variant),+ }

        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The label.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }
    };
}

label_values! {
    /// What became of a received record.
    IngestResult { Accepted = "accepted", Rejected = "rejected", Late = "late", Ignored = "ignored" }
}
label_values! {
    /// What became of what a shopper's browser sent.
    BeaconResult {
        Accepted = "accepted",
        UnknownSite = "unknown_site",
        Origin = "origin",
        TooMany = "too_many",
        Robot = "robot",
        Malformed = "malformed",
        Clock = "clock",
        CardNumber = "card_number",
        NotCommitted = "not_committed",
    }
}
label_values! {
    /// What became of one thing that a notice says.
    NoticeResult {
        Taken = "taken",
        PassedOver = "passed_over",
        Unreadable = "unreadable",
        NoEndpoint = "no_endpoint",
    }
}
label_values! {
    /// What a folded row was.
    FoldResult { New = "new", Replaced = "replaced", Unchanged = "unchanged" }
}
label_values! {
    /// How an attempt, an order or a refund ended.
    Outcome { Succeeded = "succeeded", Failed = "failed", Cancelled = "cancelled" }
}
label_values! {
    /// Where a bill stands after it was asked for.
    BillResult {
        Fetched = "fetched",
        NoActivity = "no_activity",
        NoBill = "no_bill",
        Waiting = "waiting",
        Failed = "failed",
    }
}
label_values! {
    /// How a run of a task, an evaluation or a delivery went.
    RunResult { Succeeded = "succeeded", Failed = "failed" }
}

/// How many alerts of one kind and severity are in one state.
#[derive(Clone, Copy, Debug)]
pub struct AlertCount<'a> {
    pub kind: &'a str,
    pub severity: &'a str,
    pub state: &'a str,
    pub count: u32,
}

/// A request that is being answered; dropped when it is answered or given up.
pub struct RequestInFlight(Arc<Metrics>);

impl Drop for RequestInFlight {
    fn drop(&mut self) {
        self.0.http_requests_in_flight.dec();
    }
}

/// HTTP.
impl Metrics {
    /// Counts a request as being answered until the returned value is dropped.
    pub fn request_began(self: &Arc<Self>) -> RequestInFlight {
        self.http_requests_in_flight.inc();
        RequestInFlight(Arc::clone(self))
    }

    /// One answered request; `route` is the matched pattern, never the path.
    pub fn request_answered(&self, method: &str, route: &str, code: u16, seconds: f64) {
        self.http_requests_total.with(&[route, method, &code.to_string()]).inc();
        self.http_request_duration_seconds.with(&[route, method]).observe(seconds);
    }
}

/// Intake.
impl Metrics {
    /// `rows` records of a provider met this end. Accepted rows go through the `…_accepted` methods below.
    pub fn records_received(&self, provider: Option<Word>, kind: &str, result: IngestResult, rows: u64) {
        self.know_provider(provider_label(provider), kind);
        self.ingest_events_total.with(&[provider_label(provider), kind, result.as_str()]).inc_by(rows);
    }

    /// Events that shoppers' browsers sent and what became of them.
    pub fn beacon_events(&self, result: BeaconResult, events: u64) {
        self.beacon_events_total.with(&[result.as_str()]).inc_by(events);
    }

    /// What waits in the intake queue now.
    pub fn set_intake_queue(&self, rows: usize) {
        self.ingest_queue_events.set(clamped(rows));
    }

    /// What the intake queue can hold; set once.
    pub fn set_intake_queue_capacity(&self, rows: usize) {
        self.ingest_queue_capacity_events.set(clamped(rows));
    }

    /// Touches every result of a provider's kind, so that each is exported as 0 from its first record on.
    pub(super) fn know_provider(&self, provider: &str, kind: &str) {
        for result in IngestResult::ALL {
            self.ingest_events_total.with(&[provider, kind, result.as_str()]);
        }
    }
}

/// Webhooks. Providers are those of `intake::webhooks`, reasons too: both are closed sets.
impl Metrics {
    /// So many things that notices say met this end.
    pub fn webhook_notices(&self, provider: Option<&'static str>, result: NoticeResult, count: usize) {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        self.webhook_notices_total.with(&[provider.unwrap_or(NOT_GIVEN), result.as_str()]).inc_by(count);
    }

    /// A notice that could not be proved.
    pub fn webhook_refused(&self, provider: &'static str, reason: &'static str) {
        self.webhook_refused_total.with(&[provider, reason]).inc();
    }

    /// Fields that nobody asked for.
    pub fn webhook_unread_fields(&self, provider: &'static str, count: usize) {
        self.webhook_unread_fields_total.with(&[provider]).inc_by(u64::try_from(count).unwrap_or(u64::MAX));
    }
}

/// The fold and what it learned.
impl Metrics {
    /// Rows of one stream that a fold took in.
    pub fn rows_folded(&self, stream: Stream, result: FoldResult, rows: u64) {
        self.fold_rows_total.with(&[stream.as_str(), result.as_str()]).inc_by(rows);
    }

    /// One fold that committed.
    pub fn fold_took(&self, seconds: f64) {
        self.fold_duration_seconds.observe(seconds);
    }

    /// A snapshot was published; its age is worked out at each scrape.
    pub fn snapshot_published(&self, at: Instant) {
        self.snapshot_published_ms.store(at.timestamp_millis(), Ordering::Relaxed);
    }

    /// Memory of the filters over the keys of files.
    pub fn set_filter_bytes(&self, bytes: usize) {
        self.fold_filter_bytes.set(clamped(bytes));
    }

    /// Batches that were set aside.
    pub fn set_inbox_held_batches(&self, batches: i64) {
        self.inbox_held_batches.set(batches);
    }

    /// Files that are damaged or missing.
    pub fn set_files_quarantined(&self, files: usize) {
        self.lake_files_quarantined.set(clamped(files));
    }

    /// Memory of rollup blocks at hand.
    pub fn set_rollup_cache_bytes(&self, bytes: usize) {
        self.rollup_cache_bytes.set(clamped(bytes));
    }

    /// Batches that wait to be folded.
    pub fn set_inbox_batches(&self, batches: usize) {
        self.inbox_batches.set(clamped(batches));
    }

    /// Payment attempts that reached this outcome for the first time.
    pub fn attempts_ended(&self, provider: Option<Word>, method: Option<Word>, outcome: Outcome, count: u64) {
        let labels = [provider_label(provider), provider_label(method)];
        for known in Outcome::ALL {
            self.payment_attempts_total.with(&[labels[0], labels[1], known.as_str()]);
        }
        self.payment_attempts_total.with(&[labels[0], labels[1], outcome.as_str()]).inc_by(count);
    }

    /// Orders that reached this outcome for the first time.
    pub fn orders_ended(&self, provider: Option<Word>, method: Option<Word>, outcome: Outcome, count: u64) {
        let labels = [provider_label(provider), provider_label(method)];
        for known in Outcome::ALL {
            self.payment_orders_total.with(&[labels[0], labels[1], known.as_str()]);
        }
        self.payment_orders_total.with(&[labels[0], labels[1], outcome.as_str()]).inc_by(count);
    }

    /// Failed attempts by the class of their failure (`none` when not known).
    pub fn attempts_failed(&self, provider: Option<Word>, method: Option<Word>, reason: &str, count: u64) {
        let labels = [provider_label(provider), provider_label(method), reason];
        self.payment_failures_total.with(&labels).inc_by(count);
    }

    /// An amount was paid.
    pub fn amount_paid(&self, provider: Option<Word>, amount: Money) {
        let labels = [provider_label(provider), amount.currency().code()];
        self.payment_amount_total.with(&labels).inc_by(major_for_display(amount));
    }

    /// An amount was given back.
    pub fn amount_refunded(&self, provider: Option<Word>, amount: Money) {
        let labels = [provider_label(provider), amount.currency().code()];
        self.refund_amount_total.with(&labels).inc_by(major_for_display(amount));
    }

    /// A refund reached its outcome.
    pub fn refunds_ended(&self, provider: Option<Word>, outcome: Outcome, count: u64) {
        for known in Outcome::ALL {
            self.refunds_total.with(&[provider_label(provider), known.as_str()]);
        }
        self.refunds_total.with(&[provider_label(provider), outcome.as_str()]).inc_by(count);
    }

    /// How long a paid attempt took from its start to its completion.
    pub fn payment_took(&self, provider: Option<Word>, method: Option<Word>, seconds: f64) {
        let labels = [provider_label(provider), provider_label(method)];
        self.payment_duration_seconds.with(&labels).observe(seconds);
    }

    /// Payments without an outcome, per provider; a provider that is not named has none.
    pub fn set_payments_pending<'a>(&self, counts: impl IntoIterator<Item = (&'a str, u32)>) {
        self.payments_pending.replace(
            counts.into_iter().map(|(provider, count)| (vec![provider_or_none(provider)], f64::from(count))),
        );
    }

    pub(super) fn age_snapshot(&self, now_ms: i64) {
        let published = self.snapshot_published_ms.load(Ordering::Relaxed);
        if published > 0 {
            self.snapshot_age_seconds.set(seconds_of_ms((now_ms - published).max(0)));
        }
    }
}

/// Alerts and notifications.
impl Metrics {
    /// An alert kind exists and is to be evaluated this often.
    pub fn know_alert_kind(&self, kind: &str, interval_s: u32) {
        self.alert_evaluation_interval_seconds.with(&[kind]).set(f64::from(interval_s));
        for result in RunResult::ALL {
            self.alert_evaluations_total.with(&[kind, result.as_str()]);
        }
    }

    /// How many alerts are in which state; what is not named is 0.
    pub fn set_alerts<'a>(&self, counts: impl IntoIterator<Item = AlertCount<'a>>) {
        self.alerts.replace(
            counts
                .into_iter()
                .map(|alert| (vec![alert.kind, alert.severity, alert.state], f64::from(alert.count))),
        );
    }

    /// How many series each kind watches, by readiness (`ready`, `learning`, `frozen`, `no_data`).
    pub fn set_alert_series<'a>(&self, counts: impl IntoIterator<Item = (&'a str, &'a str, u32)>) {
        self.alert_series
            .replace(counts.into_iter().map(|(kind, status, count)| (vec![kind, status], f64::from(count))));
    }

    /// What reconciliation found, by class, over the days that it shows by itself.
    pub fn set_reconciliation_findings<'a>(&self, counts: impl IntoIterator<Item = (&'a str, u32)>) {
        self.reconciliation_findings
            .replace(counts.into_iter().map(|(class, count)| (vec![class], f64::from(count))));
    }

    /// How many source days wait to be reconciled.
    pub fn set_reconciliation_due(&self, days: usize) {
        self.reconciliation_waiting.set(i64::try_from(days).unwrap_or(i64::MAX));
    }

    /// An alert changed its state.
    pub fn alert_changed(&self, kind: &str, to: &str) {
        self.alert_transitions_total.with(&[kind, to]).inc();
    }

    /// One evaluation of a kind over all its series.
    pub fn alerts_evaluated(&self, kind: &str, result: RunResult, seconds: f64, at: Instant) {
        self.alert_evaluations_total.with(&[kind, result.as_str()]).inc();
        self.alert_evaluation_duration_seconds.with(&[kind]).observe(seconds);
        raise(&self.alert_last_evaluation_timestamp_seconds, kind, at.timestamp());
    }

    /// A channel exists.
    pub fn know_channel(&self, channel: &str) {
        for result in RunResult::ALL {
            self.notifications_total.with(&[channel, result.as_str()]);
        }
    }

    /// One try to deliver a notification.
    pub fn notification_sent(&self, channel: &str, result: RunResult, seconds: f64, at: Instant) {
        self.know_channel(channel);
        self.notifications_total.with(&[channel, result.as_str()]).inc();
        self.notification_duration_seconds.with(&[channel]).observe(seconds);
        if result == RunResult::Succeeded {
            raise(&self.notification_last_success_timestamp_seconds, channel, at.timestamp());
        }
    }

    /// Notifications waiting in the outbox, per channel; a channel that is not named has none.
    pub fn set_notifications_pending<'a>(&self, counts: impl IntoIterator<Item = (&'a str, u32)>) {
        self.notifications_pending
            .replace(counts.into_iter().map(|(channel, count)| (vec![channel], f64::from(count))));
    }
}

/// Tasks and the database.
impl Metrics {
    /// A background task exists and is to run this often.
    pub fn know_task(&self, task: &str, interval_s: f64) {
        self.task_interval_seconds.with(&[task]).set(interval_s);
        for result in RunResult::ALL {
            self.task_runs_total.with(&[task, result.as_str()]);
        }
    }

    /// One run of a background task.
    pub fn task_ran(&self, task: &str, result: RunResult, seconds: f64, at: Instant) {
        self.task_runs_total.with(&[task, result.as_str()]).inc();
        self.task_duration_seconds.with(&[task]).observe(seconds);
        if result == RunResult::Succeeded {
            raise(&self.task_last_success_timestamp_seconds, task, at.timestamp());
        }
    }

    /// Connections for reading, in use and idle.
    pub fn set_database_connections(&self, in_use: u32, idle: u32, most: u32) {
        self.db_connections.with(&["in_use"]).set(f64::from(in_use));
        self.db_connections.with(&["idle"]).set(f64::from(idle));
        self.db_connections_max.set(i64::from(most));
    }

    /// Bytes of the database file and its log.
    pub fn set_database_size(&self, bytes: u64) {
        self.db_size_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// A database operation that succeeded; `operation` is one of a few fixed words.
    pub fn database_took(&self, operation: &str, seconds: f64) {
        self.db_query_duration_seconds.with(&[operation]).observe(seconds);
    }

    /// A database operation that failed; both are fixed words.
    pub fn database_failed(&self, operation: &str, reason: &str) {
        self.db_errors_total.with(&[operation, reason]).inc();
    }

    /// Touches the label values that are known beforehand.
    pub(super) fn start_at_zero(&self) {
        for stream in Stream::ALL {
            for result in FoldResult::ALL {
                self.fold_rows_total.with(&[stream.as_str(), result.as_str()]);
            }
        }
        for result in BeaconResult::ALL {
            self.beacon_events_total.with(&[result.as_str()]);
        }
        for provider in BillProvider::ALL {
            for result in BillResult::ALL {
                self.bill_fetches_total.with(&[provider.as_str(), result.as_str()]);
            }
        }
        self.set_database_connections(0, 0, 0);
    }
}

/// Bills that are fetched.
impl Metrics {
    /// One bill was asked for.
    pub fn bill_asked_for(&self, provider: BillProvider, result: BillResult, at: Instant) {
        self.bill_fetches_total.with(&[provider.as_str(), result.as_str()]).inc();
        if matches!(result, BillResult::Fetched | BillResult::NoActivity) {
            self.bill_last_fetched(provider, at);
        }
    }

    /// When a provider last settled a day.
    pub fn bill_last_fetched(&self, provider: BillProvider, at: Instant) {
        raise(&self.bill_fetch_last_success_timestamp_seconds, provider.as_str(), at.timestamp());
    }
}

/// The label of a provider or method that may be absent.
pub(super) fn provider_label(word: Option<Word>) -> &'static str {
    word.map_or(NOT_GIVEN, |word| provider_or_none(word.as_str()))
}

fn provider_or_none(text: &str) -> &str {
    if text.is_empty() { NOT_GIVEN } else { text }
}

/// Sets a gauge to `at` unless it already shows something younger.
fn raise(gauge: &Guarded<GaugeVec>, label: &str, at: i64) {
    raise_series(&gauge.with(&[label]), at);
}

pub(super) fn raise_series(series: &Gauge, at: i64) {
    let at = seconds_of_ms(at.saturating_mul(1000));
    if at > series.get() {
        series.set(at);
    }
}

fn clamped(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Seconds for a sample; Prometheus knows no other number than f64.
#[expect(clippy::cast_precision_loss, reason = "milliseconds of this age are far below 2^53")]
pub(super) fn seconds_of_ms(ms: i64) -> f64 {
    ms as f64 / 1000.0
}

/// Major units for a sample: the one place where an amount becomes a float, because Prometheus knows no other
/// number. No figure of a page or an export is made from it.
#[expect(clippy::cast_precision_loss, reason = "single amounts are below 10^15, inside 2^53")]
fn major_for_display(amount: Money) -> f64 {
    amount.minor().max(0) as f64 / amount.currency().minor_per_major() as f64
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::{Currency, instant_from_ms};

    fn text(metrics: &Metrics) -> String {
        String::from_utf8(metrics.text(1_700_000_000_000).unwrap()).unwrap()
    }

    #[test]
    fn known_label_values_are_exported_as_zero_from_the_start() {
        let metrics = Metrics::new().unwrap();
        metrics.know_task("fold", 1.0);
        metrics.know_channel("webhook");
        let text = text(&metrics);
        assert!(
            text.contains("tillwatch_fold_rows_total{result=\"new\",stream=\"transactions\"} 0\n"),
            "{text}"
        );
        assert!(text.contains("tillwatch_task_runs_total{result=\"failed\",task=\"fold\"} 0\n"));
        assert!(text.contains("tillwatch_notifications_total{channel=\"webhook\",result=\"succeeded\"} 0\n"));
        assert!(text.contains("tillwatch_metrics_overflow_total{metric=\"payments_pending\"} 0\n"));
        assert!(text.contains("tillwatch_build_info{"));
        assert!(text.contains("process_resident_memory_bytes "));
    }

    #[test]
    fn a_request_in_flight_is_counted_down_when_dropped() {
        let metrics = Arc::new(Metrics::new().unwrap());
        let request = metrics.request_began();
        assert_eq!(metrics.http_requests_in_flight.get(), 1);
        drop(request);
        assert_eq!(metrics.http_requests_in_flight.get(), 0);
    }

    #[test]
    fn amounts_are_major_units_of_their_own_currency() {
        let metrics = Metrics::new().unwrap();
        let yuan = Money::from_minor(1205, Currency::CNY).unwrap();
        let yen = Money::from_minor(1205, Currency::parse("JPY").unwrap()).unwrap();
        metrics.amount_paid(Some(Word::of("alipay")), yuan);
        metrics.amount_paid(None, yen);
        let text = text(&metrics);
        assert!(
            text.contains("tillwatch_payment_amount_total{currency=\"CNY\",provider=\"alipay\"} 12.05\n")
        );
        assert!(text.contains("tillwatch_payment_amount_total{currency=\"JPY\",provider=\"none\"} 1205\n"));
    }

    #[test]
    fn the_snapshot_ages_between_scrapes() {
        let metrics = Metrics::new().unwrap();
        metrics.snapshot_published(instant_from_ms(1_699_999_990_500));
        assert!(text(&metrics).contains("tillwatch_snapshot_age_seconds 9.5\n"));
    }

    #[test]
    fn a_timestamp_never_goes_back() {
        let metrics = Metrics::new().unwrap();
        metrics.task_ran("fold", RunResult::Succeeded, 0.1, instant_from_ms(5000));
        metrics.task_ran("fold", RunResult::Succeeded, 0.1, instant_from_ms(3000));
        let shown = "tillwatch_task_last_success_timestamp_seconds{task=\"fold\"} 5\n";
        assert!(text(&metrics).contains(shown));
    }
}
