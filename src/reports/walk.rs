//! The one way over the cells: every block of the asked stores, with what each of its slots means to the query.

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Timelike};

use crate::analytics::{DayBlock, Slot, View};
use crate::domain::{Instant, Range, Store, Word, business_day_of};

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

/// One block on the way.
pub(super) struct Stop<'a> {
    /// Index into the query's stores.
    pub store: usize,
    /// Its slug.
    pub store_word: Word,
    pub group: Word,
    pub day: NaiveDate,
    pub block: &'a DayBlock,
    places: [Option<Place>; SLOTS],
}

impl Stop<'_> {
    /// Where a slot of this block lies; `None` outside of both periods.
    pub(super) fn place(&self, slot: Slot) -> Option<Place> {
        self.places.get(usize::from(slot.0)).copied().flatten()
    }
}

/// Every block with a slot in the period or the earlier one.
pub(super) fn stops<'a>(
    view: &'a View,
    query: &'a Query,
    spans: &'a [Span],
) -> impl Iterator<Item = Stop<'a>> + use<'a> {
    spans.iter().flat_map(move |span| {
        let store = query.stores.get(span.store);
        store.into_iter().flat_map(move |store| {
            let store_word = Word::of(&store.slug);
            blocks_of(view, store).filter_map(move |(group, day, block)| {
                let places = places(span, day)?;
                Some(Stop { store: span.store, store_word, group, day, block, places })
            })
        })
    })
}

/// Every block of one store with its group and UTC day.
pub(super) fn blocks_of<'a>(
    view: &'a View,
    store: &Store,
) -> impl Iterator<Item = (Word, NaiveDate, &'a DayBlock)> + use<'a> {
    let id = store.id;
    view.blocks
        .range((id, Word::NONE)..)
        .take_while(move |((owner, _), _)| *owner == id)
        .flat_map(|((_, group), days)| days.iter().map(|(day, block)| (*group, *day, block.as_ref())))
}

fn places(span: &Span, day: NaiveDate) -> Option<[Option<Place>; SLOTS]> {
    let begin = day.and_time(chrono::NaiveTime::MIN).and_utc();
    let end = begin + TimeDelta::days(1);
    let touches = |range: Range| range.from < end && begin < range.until;
    let mut places = [None; SLOTS];
    if touches(span.range) {
        mark(&mut places, begin, span.range, &span.edges, |at| Place {
            before: false,
            like: span.like.contains(at),
            counted: true,
            bucket: 0,
        });
    }
    if let Some(before) = span.before.as_ref().filter(|before| touches(before.range)) {
        mark(&mut places, begin, before.range, &before.edges, |at| {
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
            *known |= *from <= query.now && view.knows(store.id, *until - TimeDelta::nanoseconds(1));
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
    let weekday = business_day_of(store, at).weekday().num_days_from_monday();
    let hour = at.with_timezone(&store.zone).hour();
    (usize::try_from(weekday).unwrap_or(0), usize::try_from(hour).unwrap_or(0))
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
