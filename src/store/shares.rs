//! Room that many senders share fairly: who floods is refused, and the others still get in.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::domain::Word;

/// What may be held at one time. A sender alone may take all but `reserve`; of several, each may take an equal part,
/// and in any case as much as `least`.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    pub all: Load,
    /// Left free for whoever comes next.
    pub reserve: Load,
    /// One maximal batch.
    pub least: Load,
}

/// So many rows and bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    pub rows: usize,
    pub bytes: usize,
}

impl Load {
    const fn plus(self, other: Self) -> Self {
        Self { rows: self.rows.saturating_add(other.rows), bytes: self.bytes.saturating_add(other.bytes) }
    }

    const fn minus(self, other: Self) -> Self {
        Self { rows: self.rows.saturating_sub(other.rows), bytes: self.bytes.saturating_sub(other.bytes) }
    }

    const fn fits(self, most: Self) -> bool {
        self.rows <= most.rows && self.bytes <= most.bytes
    }

    fn larger(self, other: Self) -> Self {
        Self { rows: self.rows.max(other.rows), bytes: self.bytes.max(other.bytes) }
    }
}

/// The room, and who holds how much of it.
#[derive(Clone, Debug)]
pub struct Shares(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    room: Room,
    held: Mutex<Held>,
}

/// Senders that hold nothing are not kept: there are never more than requests under way.
#[derive(Debug, Default)]
struct Held {
    all: Load,
    by_sender: HashMap<Word, Load>,
}

/// A part of the room, given back when dropped.
#[derive(Debug)]
pub struct Share {
    shared: Arc<Shared>,
    sender: Word,
    load: Load,
}

impl Shares {
    /// An empty room.
    pub fn of(room: Room) -> Self {
        Self(Arc::new(Shared { room, held: Mutex::default() }))
    }

    /// A part of the room for `sender`; `None` when it holds its share already, or the room is full.
    pub fn take(&self, sender: Word, load: Load) -> Option<Share> {
        let mut held = self.0.lock();
        if !held.may(&self.0.room, sender, load) {
            return None;
        }
        held.add(sender, load);
        Some(Share { shared: Arc::clone(&self.0), sender, load })
    }

    /// True when `sender` could take so much now.
    pub fn has_room(&self, sender: Word, load: Load) -> bool {
        self.0.lock().may(&self.0.room, sender, load)
    }

    /// What all senders hold.
    pub fn held(&self) -> Load {
        self.0.lock().all
    }
}

impl Share {
    /// Takes more, until so many bytes are held; false, and nothing is taken, when there is no room for it.
    pub fn grow_to(&mut self, bytes: usize) -> bool {
        let more = Load { rows: 0, bytes: bytes.saturating_sub(self.load.bytes) };
        if more.bytes == 0 {
            return true;
        }
        let mut held = self.shared.lock();
        if !held.may(&self.shared.room, self.sender, more) {
            return false;
        }
        held.add(self.sender, more);
        self.load = self.load.plus(more);
        true
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.shared.lock().give_back(self.sender, self.load);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Held> {
        // Nothing panics while it is held.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn may(&self, room: &Room, sender: Word, load: Load) -> bool {
        let own = self.by_sender.get(&sender).copied();
        let senders = self.by_sender.len() + usize::from(own.is_none());
        let share = if senders == 1 {
            room.all.minus(room.reserve)
        } else {
            Load { rows: room.all.rows / senders, bytes: room.all.bytes / senders }
        };
        own.unwrap_or_default().plus(load).fits(share.larger(room.least))
            && self.all.plus(load).fits(room.all)
    }

    fn add(&mut self, sender: Word, load: Load) {
        self.all = self.all.plus(load);
        let own = self.by_sender.entry(sender).or_default();
        *own = own.plus(load);
    }

    fn give_back(&mut self, sender: Word, load: Load) {
        self.all = self.all.minus(load);
        if let Some(own) = self.by_sender.get_mut(&sender) {
            *own = own.minus(load);
            if *own == Load::default() {
                self.by_sender.remove(&sender);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn load(rows: usize, bytes: usize) -> Load {
        Load { rows, bytes }
    }

    fn shares() -> Shares {
        Shares::of(Room { all: load(100, 1000), reserve: load(25, 250), least: load(10, 100) })
    }

    fn who(name: &str) -> Word {
        Word::of(name)
    }

    #[test]
    fn one_sender_may_use_all_but_the_reserve() {
        for (fits, beyond) in [(load(75, 0), load(1, 0)), (load(0, 750), load(0, 1))] {
            let shares = shares();
            let held = shares.take(who("a"), fits).unwrap();
            assert!(shares.take(who("a"), beyond).is_none());
            drop(held);
            assert_eq!(shares.held(), Load::default());
            assert!(shares.take(who("a"), fits).is_some());
        }
    }

    #[test]
    fn a_flood_keeps_nobody_out() {
        let shares = shares();
        let mut flood: Vec<Share> =
            (0..75).map(|_| shares.take(who("flood"), load(1, 10)).unwrap()).collect();
        assert!(shares.take(who("flood"), load(1, 10)).is_none());
        let honest = shares.take(who("honest"), load(10, 100)).unwrap();
        // Now there are two: the flood waits until it holds less than half.
        flood.truncate(50);
        assert!(shares.take(who("flood"), load(1, 10)).is_none());
        assert!(shares.has_room(who("honest"), load(10, 100)));
        flood.truncate(49);
        flood.push(shares.take(who("flood"), load(1, 10)).unwrap());
        drop(honest);
        assert!(shares.take(who("flood"), load(25, 250)).is_some(), "alone again");
    }

    #[test]
    fn a_share_is_a_maximal_batch_at_least_while_there_is_room() {
        let shares = shares();
        let names: Vec<Word> = (0..20).map(|n| who(&format!("s{n}"))).collect();
        let _small: Vec<Share> = names.iter().map(|name| shares.take(*name, load(1, 1)).unwrap()).collect();
        // An equal part would be 5 rows.
        assert!(shares.take(names[0], load(10, 1)).is_none());
        let _largest = shares.take(names[0], load(9, 99)).unwrap();
        assert!(shares.take(names[0], load(1, 0)).is_none());
        assert!(shares.take(names[1], load(0, 100)).is_none());
    }

    #[test]
    fn a_share_grows_within_its_limit() {
        let shares = shares();
        let mut body = shares.take(who("a"), load(0, 100)).unwrap();
        assert!(body.grow_to(50) && body.grow_to(750) && !body.grow_to(751));
        assert_eq!(shares.held(), load(0, 750));
        drop(body);
        assert_eq!(shares.held(), Load::default());
    }

    proptest! {
        #[test]
        fn the_room_is_never_overfull_and_all_of_it_comes_back(
            steps in prop::collection::vec((0..5_usize, 0..40_usize, 0..400_usize, any::<bool>()), 0..200)
        ) {
            let shares = shares();
            let mut held = Vec::new();
            for (name, rows, bytes, give_back) in steps {
                if give_back && !held.is_empty() {
                    held.swap_remove(rows % held.len());
                } else {
                    held.extend(shares.take(who(&format!("s{name}")), load(rows, bytes)));
                }
                let sum = held.iter().fold(Load::default(), |sum, share: &Share| sum.plus(share.load));
                prop_assert_eq!(sum, shares.held());
                prop_assert!(sum.fits(load(100, 1000)));
            }
            held.clear();
            prop_assert_eq!(shares.held(), Load::default());
            prop_assert!(shares.0.lock().by_sender.is_empty());
        }
    }
}
