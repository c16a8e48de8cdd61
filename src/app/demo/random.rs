/// A small seeded generator (xoshiro256++), so that a history depends on nothing but its seed.
///
/// Whole numbers only: what a machine's floating-point library rounds differently cannot change a byte.
#[derive(Clone, Debug)]
pub struct Random([u64; 4]);

impl Random {
    /// The generator of one subject: equal seed, label and parts give equal numbers for ever.
    pub fn of(seed: u64, label: &str, parts: &[i64]) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&seed.to_le_bytes());
        hasher.update(label.as_bytes());
        for part in parts {
            hasher.update(&part.to_le_bytes());
        }
        let mut reader = hasher.finalize_xof();
        let mut state = [0_u64; 4];
        for word in &mut state {
            let mut bytes = [0_u8; 8];
            reader.fill(&mut bytes);
            *word = u64::from_le_bytes(bytes);
        }
        state[0] |= 1; // all zeroes would stay all zeroes
        Self(state)
    }

    /// The next 64 bits.
    pub fn next(&mut self) -> u64 {
        let [a, b, c, d] = &mut self.0;
        let out = a.wrapping_add(*d).rotate_left(23).wrapping_add(*a);
        let shifted = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= shifted;
        *d = d.rotate_left(45);
        out
    }

    /// A number below `limit` (0 when the limit is 0).
    pub fn below(&mut self, limit: u64) -> u64 {
        let wide = u128::from(self.next()) * u128::from(limit);
        u64::try_from(wide >> 64).unwrap_or(0)
    }

    /// A number from `low` to `high`, both included; `low` when there is nothing between.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        let span = u64::try_from(high - low).map_or(0, |span| span + 1);
        low + i64::try_from(self.below(span)).unwrap_or(0)
    }

    /// A number from `low` to `high` where small ones are much likelier (the product of two draws).
    pub fn skewed(&mut self, low: i64, high: i64) -> i64 {
        let span = u64::try_from(high - low).unwrap_or(0);
        let first = self.below(span + 1);
        low + i64::try_from(self.below(first + 1)).unwrap_or(0)
    }

    /// True in `per_million` of a million cases.
    pub fn chance(&mut self, per_million: u64) -> bool {
        self.below(1_000_000) < per_million
    }

    /// One of the values; the first of an empty draw is `None`.
    pub fn pick<'a, T>(&mut self, values: &'a [T]) -> Option<&'a T> {
        let index = self.below(u64::try_from(values.len()).unwrap_or(0));
        values.get(usize::try_from(index).unwrap_or(0))
    }

    /// The index of a weight, drawn in proportion to it; 0 when all weights are 0.
    pub fn weighted(&mut self, weights: impl Iterator<Item = u64> + Clone) -> usize {
        let mut left = self.below(weights.clone().sum());
        for (index, weight) in weights.enumerate() {
            if left < weight {
                return index;
            }
            left -= weight;
        }
        0
    }

    /// `count` decimal digits.
    pub fn digits(&mut self, count: usize) -> String {
        (0..count).map(|_| char::from(b'0' + u8::try_from(self.below(10)).unwrap_or(0))).collect()
    }

    /// `count` letters and digits of the kind providers put in their ids.
    pub fn letters(&mut self, count: usize) -> String {
        const ALPHABET: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789abcdefghijkmnopqrstuvwxyz";
        (0..count).filter_map(|_| self.pick(ALPHABET).map(|byte| char::from(*byte))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_subject_draws_the_same_numbers() {
        let draw = |seed, part| {
            let mut random = Random::of(seed, "day", &[part]);
            (0..8).map(|_| random.next()).collect::<Vec<_>>()
        };
        assert_eq!(draw(7, 1), draw(7, 1));
        assert_ne!(draw(7, 1), draw(7, 2));
        assert_ne!(draw(7, 1), draw(8, 1));
    }

    #[test]
    fn draws_stay_within_their_limits() {
        let mut random = Random::of(1, "limits", &[]);
        for _ in 0..10_000 {
            assert!((3..=9).contains(&random.between(3, 9)));
            assert!((0..=50).contains(&random.skewed(0, 50)));
            assert!(random.weighted([0, 5, 0, 1].into_iter()) % 2 == 1);
        }
        assert_eq!(random.below(0), 0);
        assert_eq!(random.between(4, 4), 4);
        let hits = (0..100_000).filter(|_| random.chance(250_000)).count();
        assert!((24_000..26_000).contains(&hits), "{hits}");
    }
}
