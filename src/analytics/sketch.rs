//! How many different customers, about: registers that only rise (HyperLogLog), so that days can be joined.
//!
//! What a superseded row brought in cannot be taken out of a sketch again. A payment is replaced mostly by a later
//! state of itself, with the same customer; the few that end unpaid after all count too high by less than the error
//! that a sketch has anyway.

/// Registers as a power of two: a standard error of 0.29 %.
const BITS: u32 = 17;
const REGISTERS: usize = 1 << BITS;
/// Highest value of a register.
const RANK_MAX: u32 = 64 - BITS + 1;
/// From so many registers on all of them are kept.
const DENSE_FROM: usize = REGISTERS / 8;

/// A set of customers, of which only the number can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sketch {
    /// Registers that are set, by place.
    Few(Vec<(u32, u8)>),
    All(Vec<u8>),
}

impl Default for Sketch {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl Sketch {
    /// Adds customers by their hashes.
    pub fn add(&mut self, hashes: impl Iterator<Item = u64>) {
        let mut more: Vec<(u32, u8)> = hashes.map(register_of).collect();
        // The highest of each place stays.
        more.sort_unstable_by_key(|(place, rank)| (*place, std::cmp::Reverse(*rank)));
        more.dedup_by_key(|(place, _)| *place);
        self.join(&Self::Few(more));
    }

    /// Takes in all customers of another.
    pub fn join(&mut self, other: &Self) {
        match (&mut *self, other) {
            (Self::All(own), Self::All(others)) => {
                own.iter_mut().zip(others).for_each(|(own, other)| *own = (*own).max(*other));
            }
            (Self::All(own), Self::Few(others)) => raise(own, others),
            (Self::Few(own), Self::All(others)) => {
                let mut all = others.clone();
                raise(&mut all, own);
                *self = Self::All(all);
            }
            (Self::Few(own), Self::Few(others)) => {
                let joined = joined(own, others);
                *self = if joined.len() < DENSE_FROM {
                    Self::Few(joined)
                } else {
                    let mut all = vec![0; REGISTERS];
                    raise(&mut all, &joined);
                    Self::All(all)
                };
            }
        }
    }

    /// About how many customers, by Ertl's improved estimator: right from none to billions without a table.
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    pub fn count(&self) -> u64 {
        let mut counts = [0_u32; RANK_MAX as usize + 1];
        match self {
            Self::All(registers) => {
                for rank in registers {
                    counts[usize::from(*rank).min(RANK_MAX as usize)] += 1;
                }
            }
            Self::Few(set) => {
                for (_, rank) in set {
                    counts[usize::from(*rank).min(RANK_MAX as usize)] += 1;
                }
                counts[0] = u32::try_from(REGISTERS - set.len()).unwrap_or(0);
            }
        }
        let all = REGISTERS as f64;
        let mut sum = all * tau(1.0 - f64::from(counts[RANK_MAX as usize]) / all);
        for rank in (1..RANK_MAX as usize).rev() {
            sum = 0.5 * (sum + f64::from(counts[rank]));
        }
        sum += all * sigma(f64::from(counts[0]) / all);
        (all * all / (2.0 * std::f64::consts::LN_2 * sum)).round() as u64
    }

    /// As bytes: the places as differences where few are set.
    pub fn bytes(&self) -> Vec<u8> {
        match self {
            Self::All(registers) => registers.clone(),
            Self::Few(set) => {
                let mut bytes = Vec::with_capacity(set.len() * 3);
                let mut last = 0;
                for (place, rank) in set {
                    super::column::put_varint(&mut bytes, u128::from(place - last));
                    bytes.push(*rank);
                    last = *place;
                }
                bytes
            }
        }
    }

    /// Reads `registers` of them back.
    pub fn read(mut bytes: &[u8], registers: usize) -> Option<Self> {
        if registers == REGISTERS {
            return (bytes.len() == REGISTERS).then(|| Self::All(bytes.to_vec()));
        }
        let mut set = Vec::with_capacity(registers.min(bytes.len()));
        let mut place = 0_u32;
        for _ in 0..registers {
            place = place.checked_add(u32::try_from(super::column::take_count(&mut bytes)?).ok()?)?;
            let rank = *super::column::take_bytes(&mut bytes, 1)?.first()?;
            set.push((place, rank));
        }
        set.last().is_none_or(|(last, _)| (*last as usize) < REGISTERS).then_some(Self::Few(set))
    }

    /// Takes in what [`Sketch::bytes`] wrote.
    pub fn join_bytes(&mut self, bytes: &[u8], registers: usize) {
        match self {
            Self::All(own) if registers == REGISTERS && bytes.len() == REGISTERS => {
                own.iter_mut().zip(bytes).for_each(|(own, other)| *own = (*own).max(*other));
            }
            _ => {
                if let Some(other) = Self::read(bytes, registers) {
                    self.join(&other);
                }
            }
        }
    }

    /// Registers that [`Sketch::bytes`] writes.
    pub const fn registers(&self) -> usize {
        match self {
            Self::Few(set) => set.len(),
            Self::All(_) => REGISTERS,
        }
    }
}

/// Place and value that a hash sets.
fn register_of(hash: u64) -> (u32, u8) {
    let place = u32::try_from(hash >> (64 - BITS)).unwrap_or(0);
    let rank = (hash << BITS).leading_zeros().min(RANK_MAX - 1) + 1;
    (place, u8::try_from(rank).unwrap_or(u8::MAX))
}

fn raise(all: &mut [u8], set: &[(u32, u8)]) {
    for (place, rank) in set {
        if let Some(register) = all.get_mut(*place as usize) {
            *register = (*register).max(*rank);
        }
    }
}

/// Two sorted lists as one, the higher value of each place.
fn joined(one: &[(u32, u8)], other: &[(u32, u8)]) -> Vec<(u32, u8)> {
    let mut joined = Vec::with_capacity(one.len() + other.len());
    let (mut one, mut other) = (one.iter().peekable(), other.iter().peekable());
    loop {
        let next = match (one.peek(), other.peek()) {
            (Some(mine), Some(theirs)) if mine.0 == theirs.0 => {
                let both = (mine.0, mine.1.max(theirs.1));
                one.next();
                other.next();
                both
            }
            (Some(mine), theirs) if theirs.is_none_or(|theirs| mine.0 < theirs.0) => {
                let mine = **mine;
                one.next();
                mine
            }
            (_, Some(theirs)) => {
                let theirs = **theirs;
                other.next();
                theirs
            }
            _ => return joined,
        };
        joined.push(next);
    }
}

fn sigma(share: f64) -> f64 {
    if share >= 1.0 {
        return f64::INFINITY;
    }
    let (mut share, mut power, mut sum) = (share, 1.0, share);
    loop {
        share *= share;
        let before = sum;
        sum += share * power;
        power += power;
        if sum.to_bits() == before.to_bits() {
            return sum;
        }
    }
}

fn tau(share: f64) -> f64 {
    if share <= 0.0 || share >= 1.0 {
        return 0.0;
    }
    let (mut share, mut power, mut sum) = (share, 1.0, 1.0 - share);
    loop {
        share = share.sqrt();
        let before = sum;
        power *= 0.5;
        sum -= (1.0 - share).powi(2) * power;
        if sum.to_bits() == before.to_bits() {
            return sum / 3.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hashes(range: std::ops::Range<u64>) -> impl Iterator<Item = u64> {
        range.map(|number| {
            let hash = blake3::hash(&number.to_le_bytes());
            u64::from_le_bytes(hash.as_bytes()[..8].try_into().unwrap())
        })
    }

    #[test]
    fn counts_are_within_one_percent_and_joined_ones_too() {
        for count in [0, 1, 10, 1_000, 20_000, 300_000, 1_500_000] {
            let mut sketch = Sketch::default();
            sketch.add(hashes(0..count));
            let off = sketch.count().abs_diff(count);
            assert!(off * 100 <= count, "{count}: {}", sketch.count());
            let mut other = Sketch::default();
            other.add(hashes(count / 2..count * 2));
            other.join(&sketch);
            let off = other.count().abs_diff(count * 2);
            assert!(off * 100 <= count * 2, "{count}: {}", other.count());
        }
    }

    #[test]
    fn bytes_read_back() {
        for count in [0, 5, 100_000] {
            let mut sketch = Sketch::default();
            sketch.add(hashes(0..count));
            assert_eq!(Sketch::read(&sketch.bytes(), sketch.registers()), Some(sketch));
        }
        assert_eq!(Sketch::read(&[1], 1), None);
        assert_eq!(Sketch::read(&[1], REGISTERS), None);
    }

    #[test]
    fn the_same_customers_in_any_order_are_the_same_sketch() {
        let (mut one, mut other) = (Sketch::default(), Sketch::default());
        one.add(hashes(0..40_000));
        one.add(hashes(30_000..50_000));
        other.add(hashes(10_000..50_000));
        other.add(hashes(0..10_000));
        assert_eq!(one.count(), other.count());
    }
}
