//! The twelve questions, answered from the snapshot: through the reports where one answers, else over the cells.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context;
use chrono::{Datelike, Days, Months, NaiveDate};
use tillwatch::analytics::{
    Calendar, Detail, Feed, Level, MoneyKind, Piece, PieceTime, Side, Sketch, Snapshot, Summed, View, Wanted,
    bucket_middle_ms, scan_view,
};
use tillwatch::domain::{Instant, Status, Store, Word};
use tillwatch::lake::Lake;
use tillwatch::reports::{self, Breakdown, Compare, Period, Query, Selection, Settings};
use tillwatch::store::Database;

/// An answer: by the words of a row, its numbers.
pub type Answer = BTreeMap<String, Vec<i128>>;

/// What questions are asked of.
pub struct World<'a> {
    pub database: &'a Database,
    pub snapshot: Arc<Snapshot>,
    pub stores: Vec<Store>,
    pub now: Instant,
}

pub const NAMES: [&str; 12] = [
    "daily counts by status",
    "success by method and day",
    "fees by method and month",
    "category amounts by week",
    "latency p50/p95/p99 by method",
    "failure codes by method",
    "customers per week",
    "refund rate by category",
    "hour x weekday",
    "one store for a year",
    "top 20 stores",
    "the overview",
];

impl World<'_> {
    fn query(&self, by: Option<Breakdown>) -> Query {
        Query { by, ..self.months(1, 12) }
    }

    /// From the first day of a month to the last of another. Up to a quarter is told by days, more by weeks.
    fn months(&self, from: u32, to: u32) -> Query {
        let first_of = |month| NaiveDate::from_ymd_opt(2025, month, 1).unwrap_or_default();
        let last = first_of(to).checked_add_months(Months::new(1)).and_then(|next| next.pred_opt());
        let period = Period::Custom { first: first_of(from), last: last.unwrap_or_default() };
        Query { compare: Compare::None, ..Query::new(self.stores.clone(), period, self.now) }
    }

    /// What is asked day by day, or month by month, over parts of the year.
    async fn by_parts(
        &self,
        months: u32,
        answer: impl Fn(&View, &Query) -> Answer,
    ) -> anyhow::Result<Answer> {
        let mut all = Answer::new();
        for from in (1..=12).step_by(usize::try_from(months)?) {
            let query = self.months(from, from + months - 1);
            all.append(&mut answer(&self.view(&query).await?, &query));
        }
        Ok(all)
    }

    /// Sales of the hundredth store by one cashier, category and method: count of lines and amount.
    pub fn rows_of_one_store(&self, lake: &Lake) -> anyhow::Result<(i64, i128)> {
        let mut query = self.query(None);
        query.stores = self.stores.get(99..100).context("a hundred stores")?.to_vec();
        let only = |word: &str| Selection::Only(vec![Word::of(word)]);
        query.filter.operator = only("c1");
        query.filter.category = only("category-03");
        query.filter.method = only("alipay");
        let view = scan_view(lake, &self.snapshot, &query.scan()?)?;
        let report = reports::categories(&view, &Settings::default(), &query)?;
        let rows = report.sections.iter().flat_map(|section| &section.rows);
        Ok(rows.fold((0, 0), |(lines, amount), row| {
            let sums = &row.figures.value.sums;
            (lines + sums.lines, amount + sums.amount)
        }))
    }

    async fn view(&self, query: &Query) -> anyhow::Result<View> {
        let plan = query.plan(&self.snapshot, &Settings::default(), false)?;
        let blocks = self.database.fetch_blocks(&self.snapshot, &plan.wanted()).await?;
        Ok(plan.view(&self.snapshot, &blocks))
    }

    /// Answers one question.
    pub async fn answer(&self, question: usize) -> anyhow::Result<Answer> {
        match question {
            0 => return self.by_parts(3, statuses).await,
            1 => return self.by_parts(3, success).await,
            2 => return self.by_parts(1, fees).await,
            _ => {}
        }
        let by = (question == 10).then_some(Breakdown::Store);
        let mut query = self.query(by);
        if question == 9 {
            query.stores = self.stores.get(2..3).context("three stores")?.to_vec();
        }
        let view = self.view(&query).await?;
        let settings = Settings::default();
        Ok(match question {
            3 => categories_by_week(&reports::categories(&view, &settings, &query)?),
            4 => latency(&view, &query),
            5 => failure_codes(&view, &query),
            6 => self.customers(&query).await?,
            7 => refund_rates(&reports::categories(&view, &settings, &query)?),
            8 => heat(&reports::overview(&view, &settings, &query)?),
            9 | 11 => overview(&reports::overview(&view, &settings, &query)?),
            _ => top_stores(&reports::overview(&view, &settings, &query)?),
        })
    }

    async fn customers(&self, query: &Query) -> anyhow::Result<Answer> {
        let Period::Custom { first, last } = query.period else { return Ok(Answer::new()) };
        let owners: std::collections::BTreeSet<_> =
            self.snapshot.calendars.values().map(Calendar::owner).collect();
        let mut answer = Answer::new();
        let mut from = first;
        for week in 0.. {
            let until = (from + Days::new(6)).min(last);
            let mut sketch = Sketch::default();
            for owner in &owners {
                let span = Wanted { level: Level::AllCustomers, owner: *owner, first: from, last: until };
                sketch.join(self.sum(span).await?.sketch());
            }
            answer.insert(format!("{week:02}"), vec![sketch.count().into()]);
            from = until + Days::new(1);
            if from > last {
                break;
            }
        }
        Ok(answer)
    }

    /// The sum of a span, kept from now on.
    async fn sum(&self, span: Wanted) -> anyhow::Result<Arc<Summed>> {
        if let Some(known) = self.snapshot.sum(span) {
            return Ok(known);
        }
        let blocks = self.database.fetch_blocks(&self.snapshot, &[span]).await?;
        let days = blocks.days(span.level, span.owner, span.first, span.last);
        let sum = Arc::new(Summed::of(days.map(|(day, block)| (day, Arc::clone(block))).collect()));
        self.snapshot.keep_sum(span, Arc::clone(&sum));
        Ok(sum)
    }
}

/// Whole days of the period: a plan has a day more on both sides.
fn days<'a>(view: &'a View, query: &Query) -> impl Iterator<Item = &'a Piece> {
    let period = query.period;
    view.pieces.iter().filter(move |piece| {
        let Period::Custom { first, last } = period else { return false };
        let inside = first <= piece.day && piece.day <= last;
        inside && piece.side == Some(Side::Now) && matches!(piece.time, PieceTime::Whole(_))
    })
}

fn statuses(view: &View, query: &Query) -> Answer {
    let mut answer = Answer::new();
    for piece in days(view, query).filter(|piece| piece.parts.attempts) {
        let mut counts: BTreeMap<Status, i64> = BTreeMap::new();
        piece
            .cells
            .attempts(Detail::Coarse, |_, key, sums| *counts.entry(key.status).or_default() += sums.count);
        for (status, count) in counts {
            answer.insert(format!("{} {}", piece.day, status.as_str()), vec![count.into()]);
        }
    }
    answer
}

fn success(view: &View, query: &Query) -> Answer {
    let mut answer = Answer::new();
    for piece in days(view, query).filter(|piece| piece.parts.attempts) {
        let mut counts: BTreeMap<Word, (i64, i64)> = BTreeMap::new();
        piece.cells.attempts(Detail::Coarse, |_, key, sums| {
            let counts = counts.entry(key.method).or_default();
            counts.0 += sums.count;
            counts.1 += if key.status.is_posted() { sums.count } else { 0 };
        });
        for (method, (all, paid)) in counts {
            answer.insert(format!("{} {method}", piece.day), vec![all.into(), paid.into()]);
        }
    }
    answer
}

fn fees(view: &View, query: &Query) -> Answer {
    let mut sums_of: BTreeMap<(u32, Word), i128> = BTreeMap::new();
    for piece in days(view, query).filter(|piece| piece.parts.money) {
        piece.cells.money(Detail::Coarse, |_, key, sums| {
            if key.feed == Feed::Live && key.kind == MoneyKind::Payment {
                *sums_of.entry((piece.day.month(), key.method)).or_default() += sums.fee;
            }
        });
    }
    sums_of.into_iter().map(|((month, method), fee)| (format!("{month:02} {method}"), vec![fee])).collect()
}

fn latency(view: &View, query: &Query) -> Answer {
    let mut counts: BTreeMap<Word, BTreeMap<u16, i64>> = BTreeMap::new();
    for piece in days(view, query).filter(|piece| piece.parts.attempts) {
        piece.cells.latency(|_, key, count| {
            *counts.entry(key.method).or_default().entry(key.bucket).or_default() += count;
        });
    }
    let quantile = |buckets: &BTreeMap<u16, i64>, percent: i64| {
        let all: i64 = buckets.values().sum();
        let rank = (all * percent + 99) / 100;
        let mut passed = 0;
        let found = buckets.iter().find(|(_, count)| {
            passed += **count;
            passed >= rank
        });
        found.map_or(0, |(bucket, _)| i128::from(bucket_middle_ms(*bucket)))
    };
    counts
        .into_iter()
        .map(|(method, buckets)| {
            (method.to_string(), [50, 95, 99].map(|percent| quantile(&buckets, percent)).to_vec())
        })
        .collect()
}

fn failure_codes(view: &View, query: &Query) -> Answer {
    let mut counts: BTreeMap<(Word, Word), i64> = BTreeMap::new();
    for piece in days(view, query).filter(|piece| piece.parts.attempts) {
        piece.cells.attempts(Detail::Coarse, |_, key, sums| {
            if key.status == Status::Failed {
                *counts.entry((key.method, key.failure_code)).or_default() += sums.count;
            }
        });
    }
    counts
        .into_iter()
        .map(|((method, code), count)| (format!("{method} {code}"), vec![count.into()]))
        .collect()
}

fn categories_by_week(report: &reports::Categories) -> Answer {
    let mut answer = Answer::new();
    for row in report.sections.iter().flat_map(|section| &section.rows) {
        for (week, amount) in row.series.iter().enumerate() {
            answer.insert(format!("{week:02} {}", row.category), vec![amount.unwrap_or(0)]);
        }
    }
    answer
}

fn refund_rates(report: &reports::Categories) -> Answer {
    let rows = report.sections.iter().flat_map(|section| &section.rows);
    rows.map(|row| {
        let sums = &row.figures.value.sums;
        (row.category.to_string(), vec![sums.refund_amount, sums.amount])
    })
    .collect()
}

fn heat(report: &reports::Overview) -> Answer {
    let mut answer = Answer::new();
    for section in &report.sections {
        for (weekday, hours) in section.heat.iter().enumerate() {
            for (hour, cell) in hours.iter().enumerate() {
                answer.insert(format!("{weekday} {hour:02}"), vec![cell.payments.into(), cell.paid]);
            }
        }
    }
    answer
}

fn overview(report: &reports::Overview) -> Answer {
    let mut answer = Answer::new();
    for section in &report.sections {
        let ladder = &section.ladder.value;
        let all = vec![
            ladder.payments.into(),
            ladder.paid,
            ladder.refunds.into(),
            ladder.refunded,
            ladder.fees.charged,
        ];
        answer.insert("all".into(), all);
        for (week, point) in section.series.iter().enumerate() {
            let paid = point.value.map_or(0, |ladder| ladder.paid);
            answer.insert(format!("week {week:02}"), vec![paid]);
        }
        for slice in &section.methods {
            answer.insert(format!("method {}", slice.key), vec![slice.count.into(), slice.amount.value]);
        }
    }
    answer
}

fn top_stores(report: &reports::Overview) -> Answer {
    let rows = report.sections.iter().flat_map(|section| section.breakdown.iter().take(20));
    rows.map(|row| (row.key.to_string(), vec![row.ladder.value.payments.into(), row.ladder.value.paid]))
        .collect()
}
