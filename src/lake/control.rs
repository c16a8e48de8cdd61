use std::fmt;
use std::str::FromStr;

use crate::domain::RecordKey;

/// What a set of rows amounts to, whatever files they stand in and in whatever order: the wrapping sum, in 128 bits,
/// of one hash per row. Two different sets have one sum with a chance of 2⁻¹²⁸.
///
/// A file's total is over *all* its rows, superseded ones too: it belongs to the bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ControlTotal(u128);

impl ControlTotal {
    /// Counts one more row in.
    pub fn add_row(&mut self, key: RecordKey, row_hash: u64) {
        let (first, second) = (mix(key.high ^ mix(row_hash)), mix(key.low.wrapping_add(row_hash)));
        let high = u128::from(mix(first ^ second.rotate_left(32)));
        let low = u128::from(mix(second.wrapping_add(first.rotate_left(17))));
        self.0 = self.0.wrapping_add(high << 64 | low);
    }

    /// Counts all rows of another total in.
    pub const fn add(&mut self, other: Self) {
        self.0 = self.0.wrapping_add(other.0);
    }

    /// Takes all rows of another total out.
    pub const fn subtract(&mut self, other: Self) {
        self.0 = self.0.wrapping_sub(other.0);
    }
}

/// One step of `splitmix64`: a bijection whose every output bit depends on every input bit.
const fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

impl fmt::Display for ControlTotal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:032x}", self.0)
    }
}

impl FromStr for ControlTotal {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u128::from_str_radix(text, 16).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn total(rows: &[(u64, u64, u64)]) -> ControlTotal {
        let mut total = ControlTotal::default();
        for (high, low, hash) in rows {
            total.add_row(RecordKey { high: *high, low: *low }, *hash);
        }
        total
    }

    #[test]
    fn the_order_does_not_matter_and_every_part_does() {
        let rows = [(1, 2, 3), (4, 5, 6), (0, 0, 0)];
        let all = total(&rows);
        assert_eq!(all, total(&[rows[2], rows[0], rows[1]]));
        for other in [(2, 2, 3), (1, 3, 3), (1, 2, 4), (2, 1, 3), (1, 3, 2)] {
            assert_ne!(all, total(&[other, rows[1], rows[2]]), "{other:?}");
        }
        assert_ne!(all, total(&rows[..2]), "a row of zeros is a row");
        assert_ne!(total(&[rows[0], rows[0]]), total(&[]), "twice is not never");
        let (mut parts, rest) = (total(&rows[..1]), total(&rows[1..]));
        parts.add(rest);
        assert_eq!(parts, all);
        parts.subtract(rest);
        assert_eq!(parts, total(&rows[..1]));
    }

    #[test]
    fn totals_are_written_as_hexadecimal_digits() {
        let all = total(&[(1, 2, 3)]);
        assert_eq!(all.to_string().len(), 32);
        assert_eq!(all.to_string().parse(), Ok(all));
    }
}
