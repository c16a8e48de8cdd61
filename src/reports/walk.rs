//! The one way over the cells: every piece of the view, with what each of its slots means to the query.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, Days, NaiveDate, TimeDelta, Timelike};

use crate::analytics::{
    Cells, Parts, Piece, PieceTime, Side, Slot, View, next_day_in_beijing, source_offset,
};
use crate::domain::{Instant, Range, Store, StoreId, Word, business_day_of};

use super::figure::{Bucket, BucketState};
use super::period::Span;
use super::query::Query;

/// Slots of a UTC day.
const SLOTS: usize = 96;

/// Where a slot lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place {
    /// In the earlier period.
    pub before: bool,
    /// Inside the part that is compared.
    pub like: bool,
    /// Inside what figures are made of: the period up to now, or the compared part of the earlier one. The rest
    /// is for the chart only.
    pub counted: bool,
    pub bucket: usize,
}

/// One piece on the way.
pub(super) struct Stop<'a> {
    /// Index into the query's stores; of several stores together the first.
    pub store: usize,
    pub group: Word,
    pub day: NaiveDate,
    pub whole: bool,
    pub parts: Parts,
    pub cells: &'a Cells,
    stores: &'a Stores,
    places: Places,
}

enum Places {
    /// A whole day has no slots.
    Whole(Place),
    Slots(Box<[Option<Place>; SLOTS]>),
}

impl Stop<'_> {
    /// Where a slot of this piece lies; `None` outside of both periods.
    #[inline]
    pub(super) fn place(&self, slot: Slot) -> Option<Place> {
        match &self.places {
            Places::Whole(place) => Some(*place),
            Places::Slots(places) => places.get(usize::from(slot.0)).copied().flatten(),
        }
    }

    /// Index and slug of a cell's store, where the piece tells stores apart; else of the piece's.
    #[inline]
    pub(super) fn store_of(&self, store: StoreId) -> (usize, Word) {
        let index = if store.0 == 0 { self.store } else { self.stores.index(store).unwrap_or(self.store) };
        (index, self.stores.slugs.get(index).copied().unwrap_or(Word::NONE))
    }

    /// The provider's own day of a money cell.
    #[inline]
    pub(super) fn source_day(&self, provider: Word, slot: Slot) -> NaiveDate {
        source_day(self.whole, self.day, provider, slot)
    }
}

/// The provider's own day of a money cell in a piece of this day.
pub(super) fn source_day(whole: bool, day: NaiveDate, provider: Word, slot: Slot) -> NaiveDate {
    let days = if whole { source_offset(slot) } else { i32::from(next_day_in_beijing(provider, slot)) };
    if days == 0 { day } else { day + TimeDelta::days(days.into()) }
}

/// The stores of a query by number.
#[derive(Debug, Default)]
pub(super) struct Stores {
    by_id: BTreeMap<StoreId, usize>,
    slugs: Vec<Word>,
}

impl Stores {
    pub(super) fn of(query: &Query) -> Self {
        Self {
            by_id: query.stores.iter().enumerate().map(|(index, store)| (store.id, index)).collect(),
            slugs: query.stores.iter().map(|store| Word::of(&store.slug)).collect(),
        }
    }

    pub(super) fn index(&self, store: StoreId) -> Option<usize> {
        self.by_id.get(&store).copied()
    }
}

/// Every piece with a slot in the period or the earlier one that tells the asked kind of cells.
pub(super) fn stops<'a>(
    view: &'a View,
    stores: &'a Stores,
    spans: &'a [Span],
    part: impl Fn(&Parts) -> bool + 'a,
) -> impl Iterator<Item = Stop<'a>> {
    view.pieces.iter().filter(move |piece| part(&piece.parts)).filter_map(move |piece| {
        let store = stores.index(piece.store)?;
        let places = places(spans.get(store)?, piece)?;
        Some(Stop {
            store,
            group: piece.group,
            day: piece.day,
            whole: matches!(piece.time, PieceTime::Whole(_)),
            parts: piece.parts,
            cells: &piece.cells,
            stores,
            places,
        })
    })
}

fn places(span: &Span, piece: &Piece) -> Option<Places> {
    match piece.time {
        PieceTime::Slots(own) => slot_places(span, piece.day, own, piece.side).map(Places::Slots),
        PieceTime::Whole(own) => whole_place(span, own, piece.side).map(Places::Whole),
    }
}

/// Where a whole business day lies: all of it at one place, or it would not have been taken as a whole.
pub(super) fn whole_place(span: &Span, own: Range, side: Option<Side>) -> Option<Place> {
    let bucket = |edges: &[Instant]| edges.partition_point(|edge| *edge <= own.from).saturating_sub(1);
    let earlier = span.before.as_ref().filter(|before| before.range.contains(own.from));
    if let Some(before) = earlier.filter(|_| side != Some(Side::Now)) {
        let like = before.like.contains(own.from);
        return Some(Place { before: true, like, counted: like, bucket: bucket(&before.edges) });
    }
    (side != Some(Side::Before) && span.range.contains(own.from)).then(|| Place {
        before: false,
        like: span.like.contains(own.from),
        counted: true,
        bucket: bucket(&span.edges),
    })
}

fn slot_places(
    span: &Span,
    day: NaiveDate,
    own: Range,
    side: Option<Side>,
) -> Option<Box<[Option<Place>; SLOTS]>> {
    let begin = day.and_time(chrono::NaiveTime::MIN).and_utc();
    let end = begin + TimeDelta::days(1);
    let touched = |range: Range| {
        let range = Range { from: range.from.max(own.from), until: range.until.min(own.until) };
        (range.from < range.until && range.from < end && begin < range.until).then_some(range)
    };
    let mut places = Box::new([None; SLOTS]);
    if let Some(range) = touched(span.range).filter(|_| side != Some(Side::Before)) {
        mark(&mut places, begin, range, &span.edges, |at| Place {
            before: false,
            like: span.like.contains(at),
            counted: true,
            bucket: 0,
        });
    }
    let before = span.before.as_ref().filter(|_| side != Some(Side::Now));
    if let Some((before, range)) = before.and_then(|before| Some((before, touched(before.range)?))) {
        mark(&mut places, begin, range, &before.edges, |at| {
            let like = before.like.contains(at);
            Place { before: true, like, counted: like, bucket: 0 }
        });
    }
    places.iter().any(Option::is_some).then_some(places)
}

fn mark(
    places: &mut [Option<Place>; SLOTS],
    begin: Instant,
    range: Range,
    edges: &[Instant],
    place: impl Fn(Instant) -> Place,
) {
    let mut passed = edges.partition_point(|edge| *edge <= begin);
    let mut at = begin;
    for slot in places.iter_mut() {
        while edges.get(passed).is_some_and(|edge| *edge <= at) {
            passed += 1;
        }
        if range.contains(at) {
            *slot = Some(Place { bucket: passed.saturating_sub(1), ..place(at) });
        }
        at += TimeDelta::minutes(15);
    }
}

/// The chart's buckets, in the first store's time.
pub(super) fn buckets(query: &Query, spans: &[Span]) -> Vec<Bucket> {
    let Some((span, store)) = spans.first().and_then(|span| Some((span, query.stores.get(span.store)?)))
    else {
        return Vec::new();
    };
    span.edges
        .windows(2)
        .filter_map(|edge| Some((*edge.first()?, *edge.last()?)))
        .map(|(starts_at, until)| Bucket {
            starts_at,
            until,
            day: business_day_of(store, starts_at),
            local_hour: starts_at.with_timezone(&store.zone).hour(),
            state: if until <= query.now {
                BucketState::Whole
            } else if starts_at <= query.now {
                BucketState::Running
            } else {
                BucketState::Ahead
            },
        })
        .collect()
}

/// Whether each bucket of a period can have a value: it has begun, and some store's data began before its end.
pub(super) fn known_buckets(view: &View, query: &Query, spans: &[Span], before: bool) -> Vec<bool> {
    let length = spans.iter().map(|span| span.edges.len()).max().unwrap_or(1).saturating_sub(1);
    let mut known = vec![false; length];
    for span in spans {
        let Some(store) = query.stores.get(span.store) else { continue };
        let edges = if before { span.before.as_ref().map(|before| &before.edges) } else { Some(&span.edges) };
        for (known, edge) in known.iter_mut().zip(edges.into_iter().flat_map(|edges| edges.windows(2))) {
            let (Some(from), Some(until)) = (edge.first(), edge.last()) else { continue };
            *known = *known || *from <= query.now && view.knows(store.id, *until - TimeDelta::nanoseconds(1));
        }
    }
    known
}

/// True when the earlier period is known in full: every store that has data had them from its beginning on.
pub(super) fn before_is_known(view: &View, query: &Query, spans: &[Span]) -> bool {
    let mut any = false;
    for span in spans {
        let Some(store) = query.stores.get(span.store) else { continue };
        if !view.first_day.contains_key(&store.id) {
            continue;
        }
        let Some(before) = &span.before else { return false };
        if before.like.from >= before.like.until {
            return false;
        }
        // The first day with data may begin later than its midnight: a shop's first day is known from its opening on.
        if !view.knows(store.id, before.like.from + TimeDelta::days(1)) {
            return false;
        }
        any = true;
    }
    any
}

/// Weekday (Monday 0) of the business day and hour of the wall clock of a slot.
pub(super) fn week_hour(store: &Store, at: DateTime<chrono::Utc>) -> (usize, usize) {
    let hour = at.with_timezone(&store.zone).hour();
    (weekday(business_day_of(store, at)), usize::try_from(hour).unwrap_or(0))
}

/// Monday is 0.
pub(super) fn weekday(day: NaiveDate) -> usize {
    usize::try_from(day.weekday().num_days_from_monday()).unwrap_or(0)
}

/// How many of each hour of the week have begun in the period, over all stores.
pub(super) fn hours_of_week(query: &Query, spans: &[Span]) -> [[u32; 24]; 7] {
    let mut hours = [[0; 24]; 7];
    // Stores that share days and clock have the same hours.
    let mut alike: Vec<(&Store, Range, u32)> = Vec::new();
    for span in spans {
        let Some(store) = query.stores.get(span.store) else { continue };
        let until = span.range.until.min(query.now);
        let range = Range { from: span.range.from, until };
        let same = |(of, span, _): &&mut (&Store, Range, u32)| {
            of.zone == store.zone && of.cut_off == store.cut_off && *span == range
        };
        match alike.iter_mut().find(same) {
            Some((_, _, count)) => *count += 1,
            None => alike.push((store, range, 1)),
        }
    }
    for (store, range, count) in alike {
        add_hours(&mut hours, store, range, count);
    }
    hours
}

fn add_hours(hours: &mut [[u32; 24]; 7], store: &Store, range: Range, count: u32) {
    let mut at = range.from;
    while at < range.until {
        let day = business_day_of(store, at);
        let whole = crate::domain::day_range(store, day, day).ok();
        let even = |whole: &Range| {
            whole.from == at && whole.until <= range.until && (whole.until - at) == TimeDelta::hours(24)
        };
        if let Some(whole) = whole.filter(even) {
            // A day without a change of clocks has each hour once.
            if let Some(of_day) = hours.get_mut(weekday(day)) {
                for known in of_day {
                    *known += count;
                }
            }
            at = whole.until;
            continue;
        }
        let (weekday, hour) = week_hour(store, at);
        if let Some(known) = hours.get_mut(weekday).and_then(|of_day: &mut [u32; 24]| of_day.get_mut(hour)) {
            *known += count;
        }
        at += TimeDelta::hours(1);
    }
}

/// The day before, or the same at the beginning of the calendar.
pub(super) fn eve(day: NaiveDate) -> NaiveDate {
    day.checked_sub_days(Days::new(1)).unwrap_or(day)
}

#[cfg(test)]
mod tests {
    use chrono_tz::Tz;

    use super::super::period::{Compare, Period};
    use super::super::testing::{at, day, query, store};
    use super::*;

    #[test]
    fn slots_know_their_bucket_and_side() {
        // 14:25 in Shanghai; the day began at 16:00 UTC the day before.
        let query = query(Period::Today, at("2026-11-25T06:25:00Z"));
        let spans = query.spans().unwrap();
        let places = |span: &Span, day: NaiveDate| {
            let made = Piece::made(StoreId(1), Word::NONE, day, std::sync::Arc::default());
            let PieceTime::Slots(own) = made.time else { panic!("a made piece has slots") };
            slot_places(span, day, own, made.side)
        };
        let eve = places(&spans[0], day("2026-11-24")).unwrap();
        assert_eq!(eve[63], None);
        let first = eve[64].unwrap();
        assert_eq!((first.before, first.like, first.bucket), (false, true, 0));
        let today = places(&spans[0], day("2026-11-25")).unwrap();
        // 06:00 UTC is 14:00, in the running hour: shown, not compared.
        let running = today[24].unwrap();
        assert_eq!((running.like, running.counted, running.bucket), (false, true, 14));
        assert_eq!(today[26], None);
        let week_ago = places(&spans[0], day("2026-11-18")).unwrap();
        let later = week_ago[24].unwrap();
        assert_eq!((later.before, later.like, later.counted, later.bucket), (true, false, false, 14));
        assert!(places(&spans[0], day("2026-11-20")).is_none());
    }

    #[test]
    fn buckets_follow_the_wall_clock_over_a_clock_change() {
        let day = day("2026-10-25");
        let query = Query {
            compare: Compare::None,
            ..Query::new(
                vec![store(1, Tz::Europe__London)],
                Period::Custom { first: day, last: day },
                at("2026-11-25T06:25:00Z"),
            )
        };
        let hours: Vec<_> =
            buckets(&query, &query.spans().unwrap()).iter().map(|bucket| bucket.local_hour).collect();
        assert_eq!(hours[..4], [0, 1, 1, 2]);
        assert_eq!(hours.len(), 25);
    }
}
