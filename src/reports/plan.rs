//! Which blocks answer a query: the coarsest that do, and no instant told by two.
//!
//! Business days that are over come from blocks of whole days, the rest (the running day, days that are compared only
//! in part, a day shown by the hour) from blocks by slot. Where all stores of a calendar are asked for, blocks of all
//! of them together answer; what depends on the single store (a ranking, fees by its bills and contracts) comes from
//! the blocks that tell stores apart.
//!
//! Whole days that fall into one bucket of the chart mean the same to every report: they are taken as their sum, which
//! stays in memory.

use chrono::{Datelike, NaiveDate, TimeDelta};

use crate::analytics::{Calendar, Level, Owner, Parts, Side, Snapshot, Wanted};
use crate::domain::{BusinessDay, DayError, Instant, Range, Store, StoreId, Stream, Word};

use super::period::{Span, Step};
use super::query::{Breakdown, MATURITY_LOOKBACK_DAYS, Query, Settings};
use super::walk::{eve, whole_place};

mod planned;
mod stretch;

pub use planned::Plan;
use planned::{Planned, Told};
use stretch::{Stretch, stretches};

/// A business day is told as a whole when it has been over for so long: then no payment of it is young any more.
const SETTLED_AFTER: TimeDelta = TimeDelta::hours(48);

/// Longest period whose hours of the week are read from blocks by slot, where a filter asks for it.
const FINE_HOURS_DAYS_MAX: i64 = 35;

/// Stores that are planned alike: one, or all of a calendar.
struct Together {
    /// Index of the first of them in the query's stores.
    first: usize,
    members: Vec<StoreId>,
    /// `None`: the days of this store are not kept under its present calendar.
    calendar: Option<Calendar>,
    /// Money is told by store.
    money_by_store: bool,
    /// All of them have only their own records.
    only_live: bool,
    /// What is to be said of a payment does not depend on its provider's day: neither bills nor contracts divide them.
    may_sum: bool,
}

impl Query {
    /// The blocks of a snapshot that answer this query; only when [`Query::needs_rows`] is false. `cashiers` when the
    /// report tells cashiers apart, whatever the query asks.
    ///
    /// # Errors
    /// [`DayError`] at the ends of the calendar.
    pub fn plan(&self, snapshot: &Snapshot, settings: &Settings, cashiers: bool) -> Result<Plan, DayError> {
        let spans = self.spans()?;
        let mut plan = Plan { stores: self.stores.iter().map(|store| store.id).collect(), ..Plan::default() };
        plan.only_live = !self.stores.iter().any(|store| has_bills(snapshot, store.id));
        for together in self.together(snapshot, settings, &spans, cashiers) {
            if let Some(span) = spans.get(together.first) {
                Planner { query: self, snapshot, together: &together, span, plan: &mut plan }.plan();
            }
        }
        Ok(plan)
    }

    fn together(
        &self,
        snapshot: &Snapshot,
        settings: &Settings,
        spans: &[Span],
        cashiers: bool,
    ) -> Vec<Together> {
        let mut found: Vec<Together> = Vec::new();
        let mut done = vec![false; self.stores.len()];
        for (index, store) in self.stores.iter().enumerate() {
            if done.get(index) == Some(&true) {
                continue;
            }
            let kept = snapshot.calendars.get(&store.id);
            let calendar = Some(Calendar::of(store)).filter(|own| kept == Some(own));
            let mut members = vec![store.id];
            let shared = calendar.filter(|_| !cashiers);
            if let Some(all) = shared.and_then(|shared| self.whole_calendar(snapshot, shared, index, spans))
                && !(self.is_fine() && Self::differs_by_store(snapshot, settings, &all))
            {
                for (of, member) in self.stores.iter().enumerate() {
                    if let Some(done) = done.get_mut(of) {
                        *done |= all.contains(&member.id);
                    }
                }
                members = all;
            }
            let only_live = !members.iter().any(|store| has_bills(snapshot, *store));
            let money_by_store =
                self.by == Some(Breakdown::Store) || Self::differs_by_store(snapshot, settings, &members);
            let may_sum = settings.contracts.is_empty()
                && !self.stores.iter().any(|store| has_bills(snapshot, store.id));
            found.push(Together { first: index, members, calendar, money_by_store, only_live, may_sum });
        }
        found
    }

    /// True when scenes or promotions are asked for: blocks that tell stores apart have neither.
    fn is_fine(&self) -> bool {
        let by = matches!(self.by, Some(Breakdown::Scene | Breakdown::Promotion));
        by || !(self.filter.scene.is_any() && self.filter.promotion.is_any())
    }

    /// True when fees depend on the store: on its bills, or on its contracts.
    fn differs_by_store(snapshot: &Snapshot, settings: &Settings, stores: &[StoreId]) -> bool {
        stores.iter().any(|store| has_bills(snapshot, *store))
            || settings.contracts.iter().any(|rate| stores.contains(&rate.store))
    }

    /// All stores of a calendar, when all of them are asked for, over the same days, without what only blocks of a
    /// single store tell.
    fn whole_calendar(
        &self,
        snapshot: &Snapshot,
        calendar: Calendar,
        index: usize,
        spans: &[Span],
    ) -> Option<Vec<StoreId>> {
        let by_cashier = !self.filter.operator.is_any() || self.by == Some(Breakdown::Operator);
        // Basket lines by store have no provider.
        let fine_by_store =
            self.by == Some(Breakdown::Store) && (self.is_fine() || !self.filter.provider.is_any());
        let members = snapshot.members(&calendar);
        if by_cashier || fine_by_store || members.len() < 2 {
            return None;
        }
        let own = spans.get(index)?;
        let alike = |span: &Span| {
            (span.first, span.last, span.range, &span.before) == (own.first, own.last, own.range, &own.before)
        };
        // A store that has moved to another calendar since is told by itself.
        let is_member = |of: &Store, store: StoreId, span: &Span| {
            of.id == store && alike(span) && Calendar::of(of) == calendar
        };
        let asked =
            |store: &StoreId| self.stores.iter().zip(spans).any(|(of, span)| is_member(of, *store, span));
        members.iter().all(asked).then(|| members.into_iter().collect())
    }
}

fn has_bills(snapshot: &Snapshot, store: StoreId) -> bool {
    let any = (store, Stream::LedgerLines, Word::NONE);
    snapshot
        .freshness
        .range(any..)
        .next()
        .is_some_and(|((of, stream, _), _)| *of == store && *stream == Stream::LedgerLines)
}

/// Plans the pieces of one or several stores.
struct Planner<'a> {
    query: &'a Query,
    snapshot: &'a Snapshot,
    together: &'a Together,
    span: &'a Span,
    plan: &'a mut Plan,
}

/// Neighbouring business days that come from blocks of the same kind.
#[derive(Clone, Copy)]
struct Run {
    first: BusinessDay,
    last: BusinessDay,
    range: Range,
    whole: bool,
}

impl Planner<'_> {
    fn plan(&mut self) {
        let span = self.span;
        let by_hour = self.query.step() == Step::Hour || self.wants_fine_hours();
        self.side(Side::Now, (span.first, span.last), span.range.until, None, by_hour);
        if let Some(before) = &span.before {
            let cut = (before.like.until < before.range.until).then_some(before.like.until);
            self.side(Side::Before, (before.first, before.last), before.range.until, cut, by_hour);
        }
        self.ages();
    }

    /// True when hours of the week are asked for with what whole days do not tell by the hour, over days few enough to
    /// read by the hour.
    fn wants_fine_hours(&self) -> bool {
        let days = (self.span.last - self.span.first).num_days() + 1;
        self.query.filters_finely() && days <= FINE_HOURS_DAYS_MAX
    }

    /// The pieces of one of the two periods, with a day more on both sides: the provider's day that a cell belongs to
    /// may begin or end outside.
    fn side(
        &mut self,
        side: Side,
        (first, last): (BusinessDay, BusinessDay),
        until: Instant,
        cut: Option<Instant>,
        by_hour: bool,
    ) {
        let after = last.succ_opt().unwrap_or(last);
        for run in self.runs(eve(first), after, until, cut, by_hour) {
            if run.whole {
                self.whole_days(side, run);
            } else {
                self.slots(side, run.range);
            }
        }
    }

    fn runs(
        &self,
        first: BusinessDay,
        last: BusinessDay,
        until: Instant,
        cut: Option<Instant>,
        by_hour: bool,
    ) -> Vec<Run> {
        let settled = self.query.now - SETTLED_AFTER;
        let mut runs: Vec<Run> = Vec::new();
        for day in first.iter_days().take_while(|day| *day <= last) {
            let store = self.query.stores.get(self.together.first);
            let own = store.and_then(|store| crate::domain::day_range(store, day, day).ok());
            let Some(range) = own.filter(|own| own.from < until + TimeDelta::days(1)) else { continue };
            let is_cut = cut.is_some_and(|cut| range.from < cut && cut < range.until);
            let whole = !by_hour && !is_cut && range.until <= settled && self.together.calendar.is_some();
            match runs.last_mut().filter(|run| run.whole == whole) {
                Some(run) => (run.last, run.range.until) = (day, range.until),
                None => runs.push(Run { first: day, last: day, range, whole }),
            }
        }
        runs
    }

    fn whole_days(&mut self, side: Side, run: Run) {
        let Some(calendar) = self.together.calendar else { return };
        let several = self.together.members.len() > 1;
        self.plan.hours_unknown |= self.query.filters_finely() || (several && !self.together.only_live);
        let by_bucket = self.by_bucket(side, run, &calendar);
        let planned = |(level, owner, parts)| Planned {
            wanted: Wanted { level, owner, first: run.first, last: run.last },
            store: self.first_store(),
            calendar: Some(calendar),
            own: run.range,
            side: Some(side),
            parts,
            told: Told::Apart,
        };
        let mut taken = Vec::new();
        if let [store] = self.together.members[..] {
            taken.push((Level::Days, store.into(), Parts::FIGURES));
        } else {
            let (ranked, rest) = self.parts();
            // Which feed is counted where there are bills depends on the store: then no hours are better than wrong ones.
            let rest = Parts { profile: self.together.only_live, ..rest };
            taken.push((Level::AllDays, calendar.owner(), rest));
            if ranked != Parts::NONE {
                taken.push((Level::Stores, calendar.owner(), ranked));
            }
        }
        let mut pieces = Vec::new();
        for of in taken.into_iter().map(planned) {
            pieces.extend(by_bucket.iter().map(|stretch| of.only(*stretch, self.snapshot)));
        }
        self.plan.pieces.append(&mut pieces);
    }

    /// The days of a run, those of one bucket together.
    fn by_bucket(&self, side: Side, run: Run, calendar: &Calendar) -> Vec<Stretch> {
        if !self.together.may_sum {
            return vec![Stretch { first: run.first, last: run.last, together: false }];
        }
        stretches(run.first, run.last, |day| whole_place(self.span, calendar.range(day)?, Some(side)))
    }

    fn slots(&mut self, side: Side, own: Range) {
        let (first, last) = utc_days(own);
        let planned = |level, owner: Owner, store, parts| Planned {
            wanted: Wanted { level, owner, first, last },
            store,
            calendar: None,
            own,
            side: Some(side),
            parts,
            told: Told::Apart,
        };
        let mut pieces = Vec::new();
        match (&self.together.members[..], self.together.calendar) {
            ([store], _) => pieces.push(planned(Level::Hours, (*store).into(), *store, Parts::FIGURES)),
            (members, Some(calendar)) => {
                let (ranked, rest) = self.parts();
                pieces.push(planned(Level::AllHours, calendar.owner(), self.first_store(), rest));
                if ranked != Parts::NONE {
                    let of = |store: &StoreId| planned(Level::Hours, (*store).into(), *store, ranked);
                    pieces.extend(members.iter().map(of));
                }
            }
            (_, None) => {}
        }
        self.plan.pieces.append(&mut pieces);
    }

    /// What is told store by store, and what of all stores together.
    fn parts(&self) -> (Parts, Parts) {
        let by_store = self.query.by == Some(Breakdown::Store);
        let money = self.together.money_by_store;
        let ranked = Parts { money, conversion: by_store, items_by_store: by_store, ..Parts::NONE };
        let rest =
            Parts { money: !money, conversion: !by_store, items_by_store: !by_store, ..Parts::FIGURES };
        (ranked, rest)
    }

    fn first_store(&self) -> StoreId {
        self.query.stores.get(self.together.first).map_or(StoreId(0), |store| store.id)
    }

    /// Times to pay of the last four weeks: they say when a payment is mature.
    fn ages(&mut self) {
        let now = self.query.now;
        let Some(store) = self.query.stores.get(self.together.first) else { return };
        let first = crate::domain::business_day_of(store, now - TimeDelta::days(MATURITY_LOOKBACK_DAYS));
        let today = crate::domain::business_day_of(store, now);
        for run in self.runs(first, today, now, None, false) {
            let days = if run.whole { (run.first, run.last) } else { utc_days(run.range) };
            let (level, owner) = match (&self.together.members[..], self.together.calendar) {
                ([store], _) if run.whole => (Level::Days, (*store).into()),
                ([store], _) => (Level::Hours, (*store).into()),
                (_, Some(calendar)) if run.whole => (Level::AllDays, calendar.owner()),
                (_, Some(calendar)) => (Level::AllHours, calendar.owner()),
                (_, None) => continue,
            };
            let of = Planned {
                wanted: Wanted { level, owner, first: days.0, last: days.1 },
                store: store.id,
                calendar: self.together.calendar.filter(|_| run.whole),
                own: run.range,
                side: None,
                parts: Parts::AGES,
                told: Told::Apart,
            };
            // The first and the last day may be of interest only in part.
            let inner = |day: NaiveDate| run.whole && first < day && day < today;
            let weeks = stretches(days.0, days.1, |day| inner(day).then(|| day.iso_week()));
            self.plan.pieces.extend(weeks.iter().map(|stretch| of.only(*stretch, self.snapshot)));
        }
    }
}

/// The first and last UTC day a span touches.
fn utc_days(range: Range) -> (NaiveDate, NaiveDate) {
    let first = range.from.date_naive();
    // `until` is outside: a span ending at midnight does not touch the next day.
    let last = (range.until - TimeDelta::nanoseconds(1)).date_naive();
    (first, last.max(first))
}

#[cfg(test)]
mod tests;
