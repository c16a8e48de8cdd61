//! A disk that keeps, over a power cut, what was synced, and of the rest whatever it likes.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use super::random::Random;

#[derive(Default)]
pub struct Disk(RefCell<State>);

#[derive(Default)]
struct State {
    /// Names as running processes see them, and as they stand on the platter.
    names: BTreeMap<String, u64>,
    synced_names: BTreeMap<String, u64>,
    contents: BTreeMap<u64, Contents>,
    made: u64,
}

#[derive(Clone, Default)]
struct Contents {
    bytes: Vec<u8>,
    is_synced: bool,
}

fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

impl Disk {
    pub fn create(&self, path: &str, bytes: &[u8]) -> bool {
        let mut state = self.0.borrow_mut();
        if state.names.contains_key(path) {
            return false;
        }
        state.made += 1;
        let made = state.made;
        state.names.insert(path.to_owned(), made);
        state.contents.insert(made, Contents { bytes: bytes.to_vec(), is_synced: false });
        true
    }

    pub fn sync(&self, path: &str) {
        let mut state = self.0.borrow_mut();
        if let Some(contents) = state.names.get(path).copied().and_then(|at| state.contents.get_mut(&at)) {
            contents.is_synced = true;
        }
    }

    pub fn rename(&self, from: &str, to: &str) -> bool {
        let mut state = self.0.borrow_mut();
        let Some(contents) = state.names.remove(from) else { return false };
        state.names.insert(to.to_owned(), contents);
        true
    }

    pub fn remove(&self, path: &str) {
        self.0.borrow_mut().names.remove(path);
    }

    pub fn sync_folder_of(&self, path: &str) {
        let mut state = self.0.borrow_mut();
        let of_folder = |name: &String| folder(name) == folder(path);
        let names: Vec<(String, u64)> = state
            .names
            .iter()
            .filter(|(name, _)| of_folder(name))
            .map(|(name, at)| (name.clone(), *at))
            .collect();
        state.synced_names.retain(|name, _| !of_folder(name));
        state.synced_names.extend(names);
    }

    pub fn read(&self, path: &str) -> Option<Vec<u8>> {
        let state = self.0.borrow();
        Some(state.contents.get(state.names.get(path)?)?.bytes.clone())
    }

    pub fn paths(&self) -> BTreeSet<String> {
        self.0.borrow().names.keys().cloned().collect()
    }

    /// The power fails. Each change of a name since its folder was synced reached the platter or not; of contents that
    /// were not synced all, a beginning, or nothing did.
    pub fn cut_power(&self, random: &mut Random) {
        let state = &mut *self.0.borrow_mut();
        let all: BTreeSet<String> = state.names.keys().chain(state.synced_names.keys()).cloned().collect();
        let mut kept = BTreeMap::new();
        for name in all {
            let (now, synced) = (state.names.get(&name), state.synced_names.get(&name));
            let survives = if now == synced || random.one_in(2) { now } else { synced };
            if let Some(at) = survives {
                kept.insert(name, *at);
            }
        }
        for contents in state.contents.values_mut().filter(|contents| !contents.is_synced) {
            let length = contents.bytes.len();
            contents.bytes.truncate(match random.below(3) {
                0 => 0,
                1 => length / 2,
                _ => length,
            });
            contents.is_synced = true;
        }
        state.synced_names = kept.clone();
        state.names = kept;
    }
}
