use std::collections::BTreeSet;

/// The rows of one file that are no longer the latest version of their record, by their place in the file.
///
/// Files are immutable, so a row that was superseded stays in its file until a compaction leaves it out; this list,
/// kept in the manifest, is what takes it out of every figure at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SupersededRows {
    /// Rising, without repeats.
    places: Vec<u32>,
}

/// Why bytes are no list of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the list of superseded rows is damaged")]
pub struct SupersededRowsError;

impl SupersededRows {
    /// The list of these places, in any order.
    pub fn of(places: impl IntoIterator<Item = u32>) -> Self {
        let sorted: BTreeSet<u32> = places.into_iter().collect();
        Self { places: sorted.into_iter().collect() }
    }

    /// This list and `more` rows.
    #[must_use]
    pub fn with(&self, more: impl IntoIterator<Item = u32>) -> Self {
        Self::of(self.places.iter().copied().chain(more))
    }

    /// How many rows are superseded.
    pub const fn len(&self) -> usize {
        self.places.len()
    }

    /// True when every row of the file is live.
    pub const fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// True when the row at `place` is superseded.
    pub fn contains(&self, place: usize) -> bool {
        u32::try_from(place).is_ok_and(|place| self.places.binary_search(&place).is_ok())
    }

    /// The places, rising.
    pub fn places(&self) -> &[u32] {
        &self.places
    }

    /// One flag for each of `rows` rows from `first` on: true where it is live.
    pub fn live_mask(&self, first: usize, rows: usize) -> Vec<bool> {
        let mut live = vec![true; rows];
        let begin = self.places.partition_point(|place| usize::try_from(*place).is_ok_and(|at| at < first));
        for place in self.places.get(begin..).unwrap_or_default() {
            let at = usize::try_from(*place).unwrap_or(usize::MAX) - first;
            match live.get_mut(at) {
                Some(flag) => *flag = false,
                None => break,
            }
        }
        live
    }

    /// The list as bytes: the distance from each place to the next, seven bits a byte, lowest first.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.places.len() * 2);
        let mut before = 0;
        for (index, place) in self.places.iter().enumerate() {
            // No two places are equal, so that each distance after the first can be one less.
            let mut distance = if index == 0 { *place } else { place - before - 1 };
            before = *place;
            loop {
                let low = u8::try_from(distance & 0x7f).unwrap_or(0);
                distance >>= 7;
                if distance == 0 {
                    bytes.push(low);
                    break;
                }
                bytes.push(low | 0x80);
            }
        }
        bytes
    }

    /// Reads what [`SupersededRows::encode`] wrote, for a file of `rows` rows.
    ///
    /// # Errors
    /// [`SupersededRowsError`] when a place lies outside the file or the bytes end in the middle of one.
    pub fn decode(bytes: &[u8], rows: u64) -> Result<Self, SupersededRowsError> {
        let mut places: Vec<u32> = Vec::new();
        let (mut distance, mut shift) = (0_u64, 0_u32);
        for byte in bytes {
            distance |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 != 0 {
                if shift > 28 {
                    return Err(SupersededRowsError);
                }
                continue;
            }
            let place = places.last().map_or(distance, |before| u64::from(*before) + 1 + distance);
            if place >= rows {
                return Err(SupersededRowsError);
            }
            places.push(u32::try_from(place).map_err(|_| SupersededRowsError)?);
            (distance, shift) = (0, 0);
        }
        if shift != 0 {
            return Err(SupersededRowsError);
        }
        Ok(Self { places })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_read_back() {
        let lists: [&[u32]; 5] =
            [&[], &[0], &[0, 1, 2, 127, 128, 129, 300], &[5, 4_000_000], &[u32::MAX - 1]];
        for list in lists {
            let rows = SupersededRows::of(list.iter().copied().rev());
            assert_eq!(rows.places(), list);
            let file_rows = list.last().map_or(1, |last| u64::from(*last) + 1);
            assert_eq!(SupersededRows::decode(&rows.encode(), file_rows), Ok(rows.clone()));
            if !list.is_empty() {
                assert!(SupersededRows::decode(&rows.encode(), file_rows - 1).is_err(), "{list:?}");
            }
        }
        assert!(SupersededRows::decode(&[0x80], 10).is_err(), "ends in the middle of a place");
        assert!(SupersededRows::decode(&[0xff; 9], u64::MAX).is_err(), "no place is that long");
    }

    #[test]
    fn a_mask_leaves_out_what_is_superseded_in_its_part_of_the_file() {
        let rows = SupersededRows::of([1, 4, 9]);
        assert_eq!(rows.live_mask(0, 5), [true, false, true, true, false]);
        assert_eq!(rows.live_mask(4, 3), [false, true, true]);
        assert_eq!(rows.live_mask(5, 2), [true, true]);
        assert!(rows.contains(4) && !rows.contains(5));
        assert_eq!(rows.with([4, 0]).places(), [0, 1, 4, 9]);
    }
}
