use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::ops::AddAssign;

/// Mixes small numbers and places in memory; keys are our own, so nobody can choose them to collide.
#[derive(Default)]
struct Mixer(u64);

impl Mixer {
    fn mix(&mut self, number: u64) {
        self.0 = (self.0.rotate_left(5) ^ number).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}

impl Hasher for Mixer {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.mix(u64::from(*byte));
        }
    }
    fn write_u8(&mut self, number: u8) {
        self.mix(u64::from(number));
    }
    fn write_isize(&mut self, number: isize) {
        self.mix(number.unsigned_abs() as u64);
    }
    fn write_usize(&mut self, number: usize) {
        self.mix(number as u64);
    }
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }
}

/// Sums by key. Neighbouring cells mostly share a key, so the last one is tried first.
pub(super) struct Tally<K, V> {
    rows: Vec<(K, V)>,
    index: HashMap<K, usize, BuildHasherDefault<Mixer>>,
    last: usize,
}

impl<K: Copy + Eq + Hash, V: Default + AddAssign> Tally<K, V> {
    pub(super) fn new() -> Self {
        Self { rows: Vec::new(), index: HashMap::default(), last: 0 }
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
