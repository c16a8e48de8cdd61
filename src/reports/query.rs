use crate::analytics::{Detail, DivideBy, Filter, Grains, ItemDetail, ItemKey, Scan};
use crate::domain::{ContractRate, Currency, DayError, Instant, Range, Store, StoreId};

use super::period::{Compare, Period, Span, Step};

/// What a report is asked: of whom, when, which part, divided how.
#[derive(Clone, Debug)]
pub struct Query {
    /// One store or all of them; each has its own business day.
    pub stores: Vec<Store>,
    pub period: Period,
    pub compare: Compare,
    pub now: Instant,
    pub filter: Filter,
    pub by: Option<Breakdown>,
    /// Only this currency; `None` for a section of each.
    pub currency: Option<Currency>,
}

/// What the owner told us that records do not say.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    pub contracts: Vec<ContractRate>,
}

/// What the rows of a breakdown are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Breakdown {
    Store,
    Provider,
    Method,
    Scene,
    Promotion,
    /// Cashiers.
    Operator,
    /// Of basket lines: only the categories report holds it.
    Category,
    /// The attribute with this key.
    Attribute(String),
}

/// Which cells a report reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// By provider, method, scene, promotion, operator: overview, daily close, fees.
    Money,
    /// By provider, method, scene, promotion: conversion, failures.
    Payments,
    /// By provider, method, scene, promotion and category: categories.
    Items,
}

impl Query {
    /// A query for a period without filters, compared with the period before.
    pub fn new(stores: Vec<Store>, period: Period, now: Instant) -> Self {
        Self {
            stores,
            period,
            compare: Compare::default(),
            now,
            filter: Filter::default(),
            by: None,
            currency: None,
        }
    }

    /// The chart's step: that of the first store.
    pub fn step(&self) -> Step {
        self.stores.first().map_or(Step::Day, |store| self.period.step(store, self.now))
    }

    /// Each store's own days and instants.
    ///
    /// # Errors
    /// [`DayError`] at the ends of the calendar.
    pub fn spans(&self) -> Result<Vec<Span>, DayError> {
        let step = self.step();
        let mut spans: Vec<Span> = Vec::with_capacity(self.stores.len());
        for (index, store) in self.stores.iter().enumerate() {
            // Stores that share a calendar have the same days: hundreds of them mostly do.
            let alike = |span: &&Span| {
                self.stores.get(span.store).is_some_and(|known| {
                    (known.zone, known.cut_off, known.week_start)
                        == (store.zone, store.cut_off, store.week_start)
                })
            };
            let known = spans.iter().find(alike).map(|span| Span { store: index, ..span.clone() });
            spans.push(match known {
                Some(span) => span,
                None => Span::resolve(index, store, self.period, self.compare, step, self.now)?,
            });
        }
        Ok(spans)
    }

    /// The instants whose blocks a report needs: the period, the one before, and what surrounds them.
    ///
    /// # Errors
    /// [`DayError`] at the ends of the calendar.
    pub fn ranges(&self) -> Result<Vec<(StoreId, Range)>, DayError> {
        let mut ranges = Vec::new();
        for span in self.spans()? {
            let Some(store) = self.stores.get(span.store) else { continue };
            ranges.push((store.id, around(span.range)));
            if let Some(before) = span.before {
                ranges.push((store.id, around(before.range)));
            }
            // Times to pay of the last four weeks say when a payment is mature.
            let lookback = chrono::TimeDelta::days(MATURITY_LOOKBACK_DAYS);
            ranges.push((store.id, Range { from: self.now - lookback, until: self.now }));
        }
        Ok(ranges)
    }

    /// True when the rows are narrowed by more than stores, days and a currency.
    pub fn is_narrowed(&self) -> bool {
        self.filter != Filter::default()
    }

    /// True when a filter asks for what the hours of whole days do not tell.
    pub(super) fn filters_finely(&self) -> bool {
        let Filter { scene, operator, promotion, .. } = &self.filter;
        !(scene.is_any() && operator.is_any() && promotion.is_any())
    }

    /// How fine conversion and attempts must be: scenes and promotions are asked for seldom.
    pub(super) fn payments_detail(&self) -> Detail {
        let Filter { scene, promotion, .. } = &self.filter;
        let by = matches!(self.by, Some(Breakdown::Scene | Breakdown::Promotion));
        if by || !scene.is_any() || !promotion.is_any() { Detail::Full } else { Detail::Coarse }
    }

    /// How fine basket lines must be.
    pub(super) fn items_detail(&self) -> ItemDetail {
        let by = matches!(self.by, Some(Breakdown::Provider | Breakdown::Scene | Breakdown::Promotion));
        if by || self.filters_items() { ItemDetail::Filters } else { ItemDetail::Category }
    }

    /// How fine products must be.
    pub(super) fn products_detail(&self) -> ItemDetail {
        if self.filters_items() { ItemDetail::Full } else { ItemDetail::Product }
    }

    fn filters_items(&self) -> bool {
        let Filter { provider, scene, promotion, .. } = &self.filter;
        !(provider.is_any() && scene.is_any() && promotion.is_any())
    }

    /// True when a basket cell counts.
    pub(super) fn takes_item(&self, key: &ItemKey) -> bool {
        let filter = &self.filter;
        filter.provider.takes(key.provider)
            && filter.method.takes(key.method)
            && filter.scene.takes(key.scene)
            && filter.promotion.takes(key.promotion)
            && filter.category.takes(key.category)
            && self.currency.is_none_or(|only| only.code() == key.currency.as_str())
    }

    /// The scan of rows that answers this query for the asked period only; for lists, customers, the funnel.
    ///
    /// # Errors
    /// [`DayError`] at the ends of the calendar.
    pub fn scan_of_period(&self) -> Result<Scan, DayError> {
        let spans = self.spans()?;
        let ranges = spans.iter().filter_map(|span| Some((self.stores.get(span.store)?.id, span.range)));
        Ok(self.scan_of(ranges.collect(), None))
    }

    /// The scans of the two spans that are compared (see [`Span::like`]), for customers and the funnel; `None` without
    /// an earlier period.
    ///
    /// # Errors
    /// [`DayError`] at the ends of the calendar.
    pub fn scans_compared(&self) -> Result<Option<(Scan, Scan)>, DayError> {
        let (mut like, mut before) = (Vec::new(), Vec::new());
        for span in self.spans()? {
            let (Some(store), Some(earlier)) = (self.stores.get(span.store), span.before) else {
                return Ok(None);
            };
            like.push((store.id, span.like));
            before.push((store.id, earlier.like));
        }
        Ok(Some((self.scan_of(like, None), self.scan_of(before, None))))
    }

    /// The scan of rows whose view answers this query; when [`Query::needs_rows`] is true. Heavy: the view is made by
    /// [`crate::analytics::scan_view`] on a blocking thread.
    ///
    /// # Errors
    /// [`DayError`] at the ends of the calendar.
    pub fn scan(&self) -> Result<Scan, DayError> {
        let divide_by = match &self.by {
            Some(Breakdown::Attribute(key)) => Some(DivideBy::Attribute(key.clone())),
            Some(Breakdown::Operator) => Some(DivideBy::Operator),
            _ => None,
        };
        Ok(self.scan_of(self.ranges()?, divide_by))
    }

    fn scan_of(&self, ranges: Vec<(StoreId, Range)>, divide_by: Option<DivideBy>) -> Scan {
        let grains: Grains = self.stores.iter().map(|store| (store.id, store.grain())).collect();
        Scan { ranges, filter: self.filter.clone(), divide_by, grains }
    }

    /// True when no rollup holds the asked combination: the caller then makes the view from rows, already
    /// filtered by what the cells cannot say (and divided by the attribute of `by`, see [`crate::analytics::Piece::group`]).
    pub fn needs_rows(&self, subject: Subject) -> bool {
        let Filter { operator, category, attribute, .. } = &self.filter;
        if attribute.is_some() || matches!(self.by, Some(Breakdown::Attribute(_))) {
            return true;
        }
        match subject {
            Subject::Money => !category.is_any() || self.by == Some(Breakdown::Category),
            Subject::Payments => {
                !category.is_any()
                    || !operator.is_any()
                    || matches!(self.by, Some(Breakdown::Category | Breakdown::Operator))
            }
            Subject::Items => !operator.is_any() || self.by == Some(Breakdown::Operator),
        }
    }
}

/// How far back times to pay are looked at.
pub(super) const MATURITY_LOOKBACK_DAYS: i64 = 28;

/// A day more on both sides: the provider's day that a cell belongs to may begin or end outside.
fn around(range: Range) -> Range {
    Range { from: range.from - chrono::TimeDelta::days(1), until: range.until + chrono::TimeDelta::days(1) }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{at, query};
    use super::*;
    use crate::analytics::Selection;
    use crate::domain::Word;

    #[test]
    fn a_filter_that_no_rollup_holds_needs_rows() {
        let mut query = query(Period::Today, at("2026-11-25T06:25:00Z"));
        for subject in [Subject::Money, Subject::Payments, Subject::Items] {
            assert!(!query.needs_rows(subject));
        }
        query.filter.method = Selection::Only(vec![Word::of("card")]);
        assert!(!query.needs_rows(Subject::Items));
        query.filter.category = Selection::Except(vec![Word::of("tea")]);
        assert!(query.needs_rows(Subject::Money) && query.needs_rows(Subject::Payments));
        assert!(!query.needs_rows(Subject::Items));
        query.filter.provider = Selection::Only(vec![Word::of("alipay")]);
        query.filter.promotion = Selection::Only(vec![Word::of("SPRING")]);
        assert!(!query.needs_rows(Subject::Items));
        query.filter.operator = Selection::Only(vec![Word::of("lin")]);
        assert!(query.needs_rows(Subject::Items));
        query.filter = Filter { attribute: Some(("table".into(), "7".into())), ..Filter::default() };
        for subject in [Subject::Money, Subject::Payments, Subject::Items] {
            assert!(query.needs_rows(subject));
        }
        query.filter = Filter::default();
        query.by = Some(Breakdown::Operator);
        assert!(!query.needs_rows(Subject::Money) && query.needs_rows(Subject::Payments));
    }

    #[test]
    fn a_selection_takes_or_leaves() {
        let tea = Word::of("tea");
        assert!(Selection::Any.takes(tea) && Selection::Any.is_any());
        assert!(!Selection::Only(vec![]).takes(tea));
        assert!(Selection::Only(vec![tea]).takes(tea));
        assert!(!Selection::Except(vec![tea]).takes(tea));
        assert!(Selection::Except(vec![]).is_any());
    }

    #[test]
    fn a_scan_filters_and_divides_by_what_cells_do_not_hold() {
        let mut query = query(Period::Today, at("2026-11-25T06:25:00Z"));
        query.filter.category = Selection::Only(vec![Word::of("tea")]);
        query.by = Some(Breakdown::Attribute("table".into()));
        let scan = query.scan().unwrap();
        assert_eq!(scan.divide_by, Some(DivideBy::Attribute("table".into())));
        assert!(!scan.filter.category.takes(Word::of("cake")));
        let days: Vec<_> =
            scan.ranges.iter().map(|(_, range)| (range.until - range.from).num_days()).collect();
        // Today up to now with a day around it, the day a week ago likewise, and four weeks of times to pay.
        assert_eq!(days, [2, 3, 28]);
        let (like, before) = query.scans_compared().unwrap().unwrap();
        assert_eq!(like.ranges[0].1.until, at("2026-11-25T06:00:00Z"));
        assert_eq!(before.ranges[0].1.until, at("2026-11-18T06:00:00Z"));
    }
}
