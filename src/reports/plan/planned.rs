//! A plan: the blocks to fetch, and the view they make.

use std::sync::Arc;

use chrono::NaiveDate;

use crate::analytics::{
    Blocks, Calendar, Cells, Packed, Parts, Piece, PieceTime, Side, Snapshot, Summed, View, Wanted,
};
use crate::domain::{Range, StoreId, Word};

use super::stretch::Stretch;

/// The blocks that answer one query.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    pub(super) pieces: Vec<Planned>,
    pub(super) stores: Vec<StoreId>,
    pub(super) only_live: bool,
    pub(super) hours_unknown: bool,
}

/// Blocks of one owner, and what is taken from them.
#[derive(Clone, Debug)]
pub(super) struct Planned {
    pub wanted: Wanted,
    pub store: StoreId,
    /// Of whole days: the calendar that says where they lie.
    pub calendar: Option<Calendar>,
    /// Of slots: those inside.
    pub own: Range,
    pub side: Option<Side>,
    pub parts: Parts,
    pub told: Told,
}

/// How the days of a span are told.
#[derive(Clone, Debug)]
pub(super) enum Told {
    /// One by one.
    Apart,
    /// As their sum, which may be known already.
    Together(Option<Arc<Summed>>),
}

impl Planned {
    /// These days of it.
    pub(super) fn only(&self, stretch: Stretch, snapshot: &Snapshot) -> Self {
        let wanted = Wanted { first: stretch.first, last: stretch.last, ..self.wanted };
        let told = if stretch.together { Told::Together(snapshot.sum(wanted)) } else { Told::Apart };
        Self { wanted, told, ..self.clone() }
    }

    /// True when its blocks have to be fetched.
    const fn needs_blocks(&self) -> bool {
        !matches!(self.told, Told::Together(Some(_)))
    }

    /// The pieces, from the fetched blocks.
    fn pieces(&self, snapshot: &Snapshot, blocks: &Blocks) -> Vec<Piece> {
        let Wanted { level, owner, first, last } = self.wanted;
        let days = || blocks.days(level, owner, first, last);
        match &self.told {
            Told::Apart => days().filter_map(|(day, block)| self.day(day, block)).collect(),
            Told::Together(Some(sum)) => self.sum(Arc::clone(sum)).into_iter().collect(),
            Told::Together(None) => {
                let blocks: Vec<_> = days().map(|(day, block)| (day, Arc::clone(block))).collect();
                if blocks.is_empty() {
                    return Vec::new();
                }
                let sum = Arc::new(Summed::of(blocks));
                snapshot.keep_sum(self.wanted, Arc::clone(&sum));
                self.sum(sum).into_iter().collect()
            }
        }
    }

    fn day(&self, day: NaiveDate, block: &Arc<Packed>) -> Option<Piece> {
        let time = match &self.calendar {
            None => PieceTime::Slots(self.own),
            Some(calendar) => PieceTime::Whole(calendar.range(day)?),
        };
        Some(self.piece(day, time, Cells::Packed(Arc::clone(block))))
    }

    fn sum(&self, sum: Arc<Summed>) -> Option<Piece> {
        let calendar = self.calendar.as_ref()?;
        let (first, last) = (calendar.range(self.wanted.first)?, calendar.range(self.wanted.last)?);
        let range = Range { from: first.from, until: last.until };
        Some(self.piece(self.wanted.last, PieceTime::Whole(range), Cells::Summed(sum)))
    }

    fn piece(&self, day: NaiveDate, time: PieceTime, cells: Cells) -> Piece {
        let (store, side, parts) = (self.store, self.side, self.parts);
        Piece { store, group: Word::NONE, day, time, side, parts, cells }
    }
}

impl Plan {
    /// The blocks to fetch.
    pub fn wanted(&self) -> Vec<Wanted> {
        let lacking = self.pieces.iter().filter(|piece| piece.needs_blocks());
        let mut wanted: Vec<_> = lacking.map(|piece| piece.wanted).collect();
        wanted.sort_unstable();
        wanted.dedup();
        wanted
    }

    /// The view, from the fetched blocks.
    pub fn view(&self, snapshot: &Snapshot, blocks: &Blocks) -> View {
        let mut view =
            View { only_live: self.only_live, hours_unknown: self.hours_unknown, ..View::default() };
        snapshot.trim_sums();
        for planned in &self.pieces {
            view.pieces.append(&mut planned.pieces(snapshot, blocks));
        }
        for store in &self.stores {
            if let Some((first, _)) = snapshot.days_with_data(*store) {
                view.first_day.insert(*store, first);
            }
        }
        view
    }
}
