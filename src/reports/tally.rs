use std::collections::HashMap;
use std::hash::Hash;
use std::ops::AddAssign;

/// Sums by key. Neighbouring cells mostly share a key, so the last one is tried first.
pub(super) struct Tally<K, V> {
    rows: Vec<(K, V)>,
    index: HashMap<K, usize>,
    last: usize,
}

impl<K: Copy + Eq + Hash, V: Default + AddAssign> Tally<K, V> {
    pub(super) fn new() -> Self {
        Self { rows: Vec::new(), index: HashMap::new(), last: 0 }
    }

    pub(super) fn add(&mut self, key: K, value: V) {
        if self.rows.get(self.last).is_none_or(|(last, _)| *last != key) {
            let next = self.rows.len();
            self.last = *self.index.entry(key).or_insert(next);
            if self.last == next {
                self.rows.push((key, V::default()));
            }
        }
        if let Some((_, sums)) = self.rows.get_mut(self.last) {
            *sums += value;
        }
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = &(K, V)> {
        self.rows.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_added_to_their_key() {
        let mut tally = Tally::new();
        for (key, value) in [("a", 1), ("a", 2), ("b", 5), ("a", 4)] {
            tally.add(key, value);
        }
        let rows: Vec<_> = tally.rows().copied().collect();
        assert_eq!(rows, [("a", 7), ("b", 5)]);
    }
}
