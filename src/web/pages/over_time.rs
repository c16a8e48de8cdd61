//! Figures over time, alike on every report.

use crate::reports::{Bucket, BucketState, Span, Step};
use crate::web::charts::{Figure, Limit, Scale, Series, Table, Values};
use crate::web::page::Page;

/// What a figure over time shows.
pub struct OverTime<'a> {
    pub page: &'a Page,
    pub step: Step,
    pub buckets: &'a [Bucket],
    pub spans: &'a [Span],
    /// Id on the page.
    pub id: &'a str,
    pub title: String,
    pub about: String,
    pub scale: Scale,
    /// Name of the value's column.
    pub measure: String,
}

/// The values: a height for the drawing, a text for the table.
#[derive(Default)]
pub struct Points {
    pub now: Vec<Option<f64>>,
    pub now_text: Vec<String>,
    pub before: Vec<Option<f64>>,
    pub before_text: Vec<String>,
    pub band: Vec<Option<(f64, f64)>>,
    pub limit: Option<Limit>,
}

impl Points {
    /// Adds one bucket.
    pub fn push(&mut self, now: (Option<f64>, String), before: (Option<f64>, String)) {
        self.now.push(now.0);
        self.now_text.push(now.1);
        self.before.push(before.0);
        self.before_text.push(before.1);
    }
}

/// The name of a bucket: an hour, a day, the first day of a week.
pub fn bucket_name(page: &Page, step: Step, bucket: &Bucket) -> String {
    match step {
        Step::Hour => format!("{:02}:00", bucket.local_hour),
        Step::Day | Step::Week => page.short_day(bucket.day),
    }
}

/// Draws values over time: bars by hour, a line by day or week, the earlier period dashed.
pub fn over_time(what: OverTime<'_>, points: Points) -> Figure {
    let OverTime { page, step, buckets, spans, id, title, about, scale, measure } = what;
    let names: Vec<String> = buckets.iter().map(|bucket| bucket_name(page, step, bucket)).collect();
    let compared = points.before.iter().any(Option::is_some);
    let running = buckets.iter().position(|bucket| bucket.state == BucketState::Running);
    let mut heads = vec![page.t(match step {
        Step::Hour => "column-hour",
        Step::Day => "column-day",
        Step::Week => "column-week",
    })];
    heads.push(measure);
    if compared {
        let before = spans.first().and_then(|span| span.before.as_ref());
        heads.push(
            before.map_or_else(|| page.t("chart-previous"), |before| page.days(before.first, before.last)),
        );
    }
    let rows = names
        .iter()
        .enumerate()
        .map(|(index, name)| {
            let cell = |texts: &[String]| texts.get(index).cloned().unwrap_or_default();
            let mut value = cell(&points.now_text);
            if running == Some(index) {
                value = format!("{value} ({})", page.t("chart-partial"));
            }
            let mut row = vec![name.clone(), value];
            if compared {
                row.push(cell(&points.before_text));
            }
            row
        })
        .collect();
    let values = Values {
        now: points.now,
        before: points.before,
        band: points.band,
        labels: names,
        running,
        limit: points.limit,
    };
    let series = if step == Step::Hour && scale == Scale::Amount {
        Series::upright_bars(page.language, scale, &values)
    } else {
        Series::line(page.language, scale, &values)
    };
    Figure::new(page, id, title, about, series.map(Into::into), Table { heads, rows })
}
