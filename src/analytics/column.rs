//! Columns of numbers as bytes: one value for all when they are alike, else one varint each.

/// Most bytes of one varint: 128 bits in groups of seven.
const VARINT_BYTES_MAX: usize = 19;
/// In front of a column: one value follows, which every cell has.
const ALIKE: u8 = 0;
/// In front of a column: its length in bytes follows, then a varint per cell.
const EACH: u8 = 1;

pub(super) fn put_varint(bytes: &mut Vec<u8>, mut value: u128) {
    while value >= 0x80 {
        bytes.push(low_bits(value) | 0x80);
        value >>= 7;
    }
    bytes.push(low_bits(value));
}

fn low_bits(value: u128) -> u8 {
    u8::try_from(value & 0x7F).unwrap_or(0)
}

/// Reads a varint and moves on; `None` when the bytes end before it does.
pub(super) fn take_varint(bytes: &mut &[u8]) -> Option<u128> {
    let mut value = 0;
    for (place, byte) in bytes.iter().take(VARINT_BYTES_MAX).enumerate() {
        value |= u128::from(byte & 0x7F) << (7 * place);
        if byte & 0x80 == 0 {
            *bytes = &bytes[place + 1..];
            return Some(value);
        }
    }
    None
}

pub(super) fn take_count(bytes: &mut &[u8]) -> Option<usize> {
    usize::try_from(take_varint(bytes)?).ok()
}

pub(super) fn take_bytes<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

/// Signed numbers near 0 become small ones.
const fn zigzag(value: i128) -> u128 {
    (value.cast_unsigned() << 1) ^ (value >> 127).cast_unsigned()
}

const fn unzigzag(value: u128) -> i128 {
    (value >> 1).cast_signed() ^ -((value & 1).cast_signed())
}

/// Takes the numbers of one cell after the other, the first of each into the first column, and so on.
#[derive(Default)]
pub(super) struct ColumnsWriter {
    columns: Vec<Vec<u128>>,
    at: usize,
}

impl ColumnsWriter {
    /// The next number of this cell: an index or a small code.
    pub(super) fn key(&mut self, value: u64) {
        self.put(u128::from(value));
    }

    /// The next number of this cell: a sum, or a difference of sums.
    pub(super) fn sum(&mut self, value: i128) {
        self.put(zigzag(value));
    }

    fn put(&mut self, value: u128) {
        if self.at == self.columns.len() {
            self.columns.push(Vec::new());
        }
        if let Some(column) = self.columns.get_mut(self.at) {
            column.push(value);
        }
        self.at += 1;
    }

    /// The cell is complete.
    pub(super) const fn end_cell(&mut self) {
        self.at = 0;
    }

    pub(super) fn finish(self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for column in self.columns {
            let first = column.first().copied().unwrap_or(0);
            if column.iter().all(|value| *value == first) {
                bytes.push(ALIKE);
                put_varint(&mut bytes, first);
                continue;
            }
            let mut each = Vec::with_capacity(column.len());
            for value in column {
                put_varint(&mut each, value);
            }
            bytes.push(EACH);
            put_varint(&mut bytes, each.len() as u128);
            bytes.append(&mut each);
        }
        bytes
    }
}

/// Reads one column in order. The block's hash was checked: who reads beyond its end is at fault, and is stopped.
#[derive(Clone, Copy, Default)]
pub(super) struct Column<'a> {
    rest: &'a [u8],
    alike: Option<u128>,
}

impl<'a> Column<'a> {
    /// The next column of a section.
    pub(super) fn take(bytes: &mut &'a [u8]) -> Option<Self> {
        let (kind, rest) = bytes.split_first()?;
        *bytes = rest;
        match *kind {
            ALIKE => Some(Self { rest: &[], alike: Some(take_varint(bytes)?) }),
            EACH => {
                let length = take_count(bytes)?;
                Some(Self { rest: take_bytes(bytes, length)?, alike: None })
            }
            _ => None,
        }
    }

    #[inline]
    fn next(&mut self) -> u128 {
        if let Some(value) = self.alike {
            return value;
        }
        match self.rest {
            [byte, rest @ ..] if *byte < 0x80 => {
                self.rest = rest;
                u128::from(*byte)
            }
            [low, high, rest @ ..] if *high < 0x80 => {
                self.rest = rest;
                u128::from(low & 0x7F) | (u128::from(*high) << 7)
            }
            [low, middle, high, rest @ ..] if *high < 0x80 => {
                self.rest = rest;
                u128::from(low & 0x7F) | (u128::from(middle & 0x7F) << 7) | (u128::from(*high) << 14)
            }
            _ => take_varint(&mut self.rest).unwrap_or_else(|| unreachable!("beyond the end of a column")),
        }
    }

    /// The next index or code.
    #[inline]
    pub(super) fn key(&mut self) -> u64 {
        u64::try_from(self.next()).unwrap_or(0)
    }

    /// The next index.
    #[inline]
    pub(super) fn index(&mut self) -> usize {
        usize::try_from(self.next()).unwrap_or(usize::MAX)
    }

    /// The next sum.
    #[inline]
    pub(super) fn sum(&mut self) -> i128 {
        unzigzag(self.next())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_read_back(cells in proptest::collection::vec((any::<u64>(), any::<i128>(), 0..3_i128), 1..50)) {
            let mut writer = ColumnsWriter::default();
            for (key, sum, small) in &cells {
                writer.key(*key);
                writer.sum(*sum);
                writer.sum(*small);
                writer.end_cell();
            }
            let bytes = writer.finish();
            let mut rest = &bytes[..];
            let mut columns: Vec<_> = (0..3).map(|_| Column::take(&mut rest).unwrap()).collect();
            prop_assert!(rest.is_empty());
            for (key, sum, small) in cells {
                prop_assert_eq!(columns[0].key(), key);
                prop_assert_eq!(columns[1].sum(), sum);
                prop_assert_eq!(columns[2].sum(), small);
            }
        }
    }

    #[test]
    fn numbers_that_are_alike_cost_one() {
        let mut writer = ColumnsWriter::default();
        for _ in 0..1000 {
            writer.sum(-7);
            writer.end_cell();
        }
        assert_eq!(writer.finish().len(), 2);
    }

    #[test]
    fn cut_bytes_are_no_column() {
        assert!(Column::take(&mut &[][..]).is_none());
        assert!(Column::take(&mut &[EACH, 5, 1][..]).is_none());
        assert!(Column::take(&mut &[ALIKE, 0x80][..]).is_none());
        assert!(Column::take(&mut &[7, 0][..]).is_none());
    }
}
