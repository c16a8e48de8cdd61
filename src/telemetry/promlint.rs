//! The rules of `promtool check metrics`, held over our own registry, so that they hold where promtool is not installed.

use std::process::{Command, Stdio};

use prometheus::proto::{MetricFamily, MetricType};

use super::{IngestResult, Metrics, RunResult};
use crate::domain::{Currency, Money, Word, instant_from_ms};

const UNITS_NOT_BASE: [&str; 13] = [
    "milliseconds",
    "microseconds",
    "nanoseconds",
    "minutes",
    "hours",
    "days",
    "weeks",
    "kilobytes",
    "megabytes",
    "gigabytes",
    "percent",
    "bits",
    "kelvin",
];
const UNITS_SHORT: [&str; 17] =
    ["s", "ms", "us", "ns", "sec", "b", "kb", "mb", "gb", "tb", "pb", "m", "h", "d", "min", "hr", "pct"];
const TYPE_WORDS: [&str; 5] = ["gauge", "counter", "histogram", "summary", "untyped"];

/// Everything promlint would say of a family.
fn faults(family: &MetricFamily) -> Vec<String> {
    let name = family.name();
    let parts: Vec<&str> = name.split('_').collect();
    let is_counter = family.get_field_type() == MetricType::COUNTER;
    let mut faults = Vec::new();
    if family.help().is_empty() {
        faults.push("no help".to_owned());
    }
    if name.chars().any(|c| c.is_ascii_uppercase() || c == ':') {
        faults.push("capital or colon in the name".to_owned());
    }
    if is_counter != name.ends_with("_total") {
        faults.push("`_total` belongs to counters, all of them and no others".to_owned());
    }
    for part in &parts {
        if UNITS_NOT_BASE.contains(part) || UNITS_SHORT.contains(part) {
            faults.push(format!("`{part}` is no base unit"));
        }
        if TYPE_WORDS.contains(part) {
            faults.push(format!("type word `{part}` in the name"));
        }
    }
    if parts.last().is_some_and(|last| ["bucket", "count", "sum", "info"].contains(last))
        && name != "tillwatch_build_info"
    {
        faults.push("reserved suffix".to_owned());
    }
    for label in family.get_metric().iter().flat_map(prometheus::proto::Metric::get_label) {
        let label = label.name();
        if ["job", "instance", "le", "quantile"].contains(&label)
            || label.chars().any(|c| c.is_ascii_uppercase())
        {
            faults.push(format!("label `{label}`"));
        }
    }
    faults
}

/// Metrics with at least one series in every family.
fn used() -> Metrics {
    let metrics = Metrics::new().unwrap();
    let at = instant_from_ms(1_700_000_000_000);
    let provider = Some(Word::of("alipay"));
    let money = Money::from_minor(1205, Currency::CNY).unwrap();
    metrics.request_answered("GET", "/s/{store}/", 200, 0.01);
    metrics.records_received(provider, "payment", IngestResult::Rejected, 1);
    metrics.ingest_lag_seconds.with(&["alipay"]).observe(1.0);
    metrics.ingest_last_event_timestamp_seconds.with(&["alipay"]).set(1.0);
    metrics.ingest_last_received_timestamp_seconds.with(&["alipay"]).set(1.0);
    metrics.attempts_ended(provider, None, super::Outcome::Succeeded, 1);
    metrics.orders_ended(provider, None, super::Outcome::Failed, 1);
    metrics.attempts_failed(provider, None, "technical", 1);
    metrics.amount_paid(provider, money);
    metrics.amount_refunded(provider, money);
    metrics.refunds_ended(provider, super::Outcome::Succeeded, 1);
    metrics.payment_took(provider, None, 4.0);
    metrics.set_payments_pending([("alipay", 2)]);
    metrics.know_alert_kind("success_rate_drop", 30);
    metrics.set_alerts([super::AlertCount {
        kind: "success_rate_drop",
        severity: "critical",
        state: "firing",
        count: 1,
    }]);
    metrics.set_alert_series([("success_rate_drop", "ready", 4)]);
    metrics.set_reconciliation_findings([("only_bill", 1)]);
    metrics.set_reconciliation_due(1);
    metrics.alert_changed("success_rate_drop", "firing");
    metrics.alerts_evaluated("success_rate_drop", RunResult::Succeeded, 0.1, at);
    metrics.notification_sent("webhook", RunResult::Succeeded, 0.1, at);
    metrics.set_notifications_pending([("webhook", 0)]);
    metrics.know_task("fold", 1.0);
    metrics.task_ran("fold", RunResult::Succeeded, 0.1, at);
    metrics.database_took("append_batch", 0.002);
    metrics.database_failed("append_batch", "unavailable");
    metrics
}

#[test]
fn every_metric_keeps_to_the_naming_rules() {
    let families = used().gather();
    assert!(families.len() > 45, "only {} families", families.len());
    let found: Vec<String> = families
        .iter()
        .flat_map(|family| faults(family).into_iter().map(|fault| format!("{}: {fault}", family.name())))
        .collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_wrong_name_is_found() {
    let registry = prometheus::Registry::new();
    let wrong = prometheus::IntCounter::new("lag_milliseconds_gauge", "x").unwrap();
    registry.register(Box::new(wrong)).unwrap();
    assert_eq!(faults(&registry.gather()[0]).len(), 3);
}

#[test]
fn promtool_finds_nothing_to_say() {
    let Ok(mut promtool) = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
    else {
        println!("skipped: promtool is not installed (Debian: prometheus)");
        return;
    };
    let text = used().text(1_700_000_000_000).unwrap();
    std::io::Write::write_all(&mut promtool.stdin.take().unwrap(), &text).unwrap();
    let output = promtool.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}
