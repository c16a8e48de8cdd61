use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use prometheus::core::{Collector, Metric, MetricVec, MetricVecBuilder};
use prometheus::{GaugeVec, IntCounterVec};

/// Series of one metric; beyond it the open labels become [`OVERFLOW`].
pub(super) const SERIES_MAX: usize = 500;
/// What stands in place of a label value that did not fit any more.
pub(super) const OVERFLOW: &str = "other";
/// Longest label value that is exported as it came.
const LABEL_CHARACTERS_MAX: usize = 64;

/// A vector of metrics whose series can be made by label values.
pub(super) trait Vector: Collector + Clone + 'static {
    type Series;
    fn series(&self, labels: &[&str]) -> Self::Series;
}

impl<B: MetricVecBuilder + 'static> Vector for MetricVec<B>
where
    B::M: Metric,
{
    type Series = B::M;

    /// Panics when the number of labels is not the definition's, which the first call in any test shows.
    fn series(&self, labels: &[&str]) -> B::M {
        self.with_label_values(labels)
    }
}

/// A labelled metric that cannot grow without end.
///
/// Its first `open` labels take values from outside (providers, methods, reasons); when [`SERIES_MAX`] series
/// exist, further values of those labels are counted together as `other`, and that this happened is counted too.
pub(super) struct Guarded<V> {
    name: &'static str,
    vector: V,
    open: usize,
    seen: Mutex<HashSet<Vec<String>>>,
    overflow: IntCounterVec,
}

impl<V: Vector> Guarded<V> {
    pub(super) fn new(name: &'static str, vector: V, open: usize, overflow: IntCounterVec) -> Self {
        Self { name, vector, open, seen: Mutex::default(), overflow }
    }

    /// The series of these label values.
    pub(super) fn with(&self, labels: &[&str]) -> V::Series {
        let admitted = self.admit(labels);
        let admitted: Vec<&str> = admitted.iter().map(String::as_str).collect();
        self.vector.series(&admitted)
    }

    fn admit(&self, labels: &[&str]) -> Vec<String> {
        let cut: Vec<String> =
            labels.iter().map(|label| label.chars().take(LABEL_CHARACTERS_MAX).collect()).collect();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.contains(&cut) {
            return cut;
        }
        if seen.len() < SERIES_MAX {
            seen.insert(cut.clone());
            return cut;
        }
        self.overflow.with_label_values(&[self.name]).inc();
        let open = self.open;
        cut.into_iter()
            .enumerate()
            .map(|(at, label)| if at < open { OVERFLOW.to_owned() } else { label })
            .collect()
    }
}

impl Guarded<GaugeVec> {
    /// Sets these series and every other known one to 0: what is drained shows 0 and does not vanish.
    pub(super) fn replace<'a>(&self, values: impl IntoIterator<Item = (Vec<&'a str>, f64)>) {
        let values: Vec<(Vec<String>, f64)> =
            values.into_iter().map(|(labels, value)| (self.admit(&labels), value)).collect();
        let known: Vec<Vec<String>> =
            self.seen.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect();
        for labels in &known {
            if !values.iter().any(|(set, _)| set == labels) {
                self.vector.with_label_values(labels).set(0.0);
            }
        }
        let mut sums: std::collections::HashMap<Vec<String>, f64> = std::collections::HashMap::new();
        for (labels, value) in values {
            *sums.entry(labels).or_default() += value;
        }
        for (labels, value) in sums {
            self.vector.with_label_values(&labels).set(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use prometheus::Opts;

    use super::*;

    fn guarded() -> (Guarded<IntCounterVec>, IntCounterVec) {
        let overflow = IntCounterVec::new(Opts::new("overflow_total", "x"), &["metric"]).unwrap();
        let vector = IntCounterVec::new(Opts::new("hits_total", "x"), &["provider", "result"]).unwrap();
        (Guarded::new("hits_total", vector, 1, overflow.clone()), overflow)
    }

    #[test]
    fn values_beyond_the_limit_are_counted_as_other_and_none_is_lost() {
        let (hits, overflow) = guarded();
        for n in 0..SERIES_MAX + 20 {
            hits.with(&[&format!("p{n}"), "accepted"]).inc();
        }
        assert_eq!(hits.with(&["p0", "accepted"]).get(), 1);
        assert_eq!(hits.with(&["p7777", "accepted"]).get(), 20);
        assert_eq!(overflow.with_label_values(&["hits_total"]).get(), 21);
        let total: f64 =
            hits.vector.collect()[0].get_metric().iter().map(|series| series.get_counter().get_value()).sum();
        assert!((total - 520.0).abs() < f64::EPSILON);
    }

    #[test]
    fn a_drained_gauge_shows_zero() {
        let overflow = IntCounterVec::new(Opts::new("overflow_total", "x"), &["metric"]).unwrap();
        let vector = GaugeVec::new(Opts::new("pending", "x"), &["provider"]).unwrap();
        let pending = Guarded::new("pending", vector, 1, overflow);
        pending.replace([(vec!["alipay"], 3.0)]);
        pending.replace([(vec!["wechat_pay"], 1.0)]);
        assert!(pending.with(&["alipay"]).get().abs() < f64::EPSILON);
        assert!((pending.with(&["wechat_pay"]).get() - 1.0).abs() < f64::EPSILON);
    }
}
