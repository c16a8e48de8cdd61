use std::fmt::Write;

use polars::prelude::{
    BooleanChunkedBuilder, ChunkedBuilder, Column, DataFrame, DataType, Int64Type, IntoColumn, IntoSeries,
    ListBuilderTrait, ListPrimitiveChunkedBuilder, ListStringChunkedBuilder, PolarsError,
    PrimitiveChunkedBuilder, Series, StringChunkedBuilder, UInt64Type,
};
use rust_decimal::Decimal;

/// Rows in columns. Its own type, so that rooms without Polars can hand one on.
#[derive(Clone, Debug, Default)]
pub struct Frame(pub(crate) DataFrame);

/// A frame is not what its schema says.
#[derive(Debug, thiserror::Error)]
#[error("columns: {0}")]
pub struct FrameError(#[from] PolarsError);

impl FrameError {
    /// Bytes or columns that are not what they should be.
    pub fn unreadable(what: &str) -> Self {
        Self(PolarsError::ComputeError(what.to_owned().into()))
    }
}

impl Frame {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.0.height()
    }

    /// The Polars frame, for `analytics`.
    pub const fn data(&self) -> &DataFrame {
        &self.0
    }
}

/// Builds the columns of a frame, each from all rows of one chunk after the other.
///
/// Every chunk must name the same columns in the same order. A column without a value in any row costs next to
/// nothing, and can be left out of what is written: most fields of a record are used by few senders.
#[derive(Default)]
pub struct Columns {
    texts: Family<StringChunkedBuilder>,
    integers: Family<PrimitiveChunkedBuilder<Int64Type>>,
    hashes: Family<PrimitiveChunkedBuilder<UInt64Type>>,
    flags: Family<BooleanChunkedBuilder>,
    text_lists: Family<ListStringChunkedBuilder>,
    integer_lists: Family<ListPrimitiveChunkedBuilder<Int64Type>>,
    /// Columns that were named in the present chunk.
    named: usize,
    rows: usize,
}

impl Columns {
    /// Begins the next chunk.
    pub(super) fn chunk(&mut self, rows: usize) {
        self.rows += rows;
        self.named = 0;
        self.texts.next = 0;
        self.integers.next = 0;
        self.hashes.next = 0;
        self.flags.next = 0;
        self.text_lists.next = 0;
        self.integer_lists.next = 0;
    }

    /// Rows of all chunks.
    pub(super) const fn rows(&self) -> usize {
        self.rows
    }

    fn place(&mut self) -> usize {
        self.named += 1;
        self.named
    }

    pub(super) fn text<'a>(&mut self, name: &'static str, values: impl Iterator<Item = Option<&'a str>>) {
        let place = self.place();
        self.texts.extend(place, name, values);
    }

    pub(super) fn integer(&mut self, name: &'static str, values: impl Iterator<Item = Option<i64>>) {
        let place = self.place();
        self.integers.extend(place, name, values);
    }

    pub(super) fn hash(&mut self, name: &'static str, values: impl Iterator<Item = u64>) {
        let place = self.place();
        self.hashes.extend(place, name, values.map(Some));
    }

    pub(super) fn flag(&mut self, name: &'static str, values: impl Iterator<Item = Option<bool>>) {
        let place = self.place();
        self.flags.extend(place, name, values);
    }

    /// One list of texts per row. A missing text inside is empty: parallel lists keep their length.
    pub(super) fn texts<'a, L: Iterator<Item = &'a str>>(
        &mut self,
        name: &'static str,
        rows: impl Iterator<Item = L>,
    ) {
        let place = self.place();
        let slot = self.text_lists.slot(place, name);
        let mut values: Vec<&str> = Vec::new();
        for row in rows {
            values.clear();
            values.extend(row);
            slot.push((!values.is_empty()).then_some(values.as_slice()));
        }
    }

    /// One list of integers per row; a missing one inside is null.
    pub(super) fn integers<L: Iterator<Item = Option<i64>>>(
        &mut self,
        name: &'static str,
        rows: impl Iterator<Item = L>,
    ) {
        let place = self.place();
        let slot = self.integer_lists.slot(place, name);
        let mut values: Vec<Option<i64>> = Vec::new();
        for row in rows {
            values.clear();
            values.extend(row);
            slot.push((!values.is_empty()).then_some(values.as_slice()));
        }
    }

    /// One list of exact decimals per row, as texts; a missing one inside is empty.
    pub(super) fn decimals<L: Iterator<Item = Option<Decimal>>>(
        &mut self,
        name: &'static str,
        rows: impl Iterator<Item = L>,
    ) {
        let place = self.place();
        let slot = self.text_lists.slot(place, name);
        let (mut text, mut ends) = (String::new(), Vec::new());
        for row in rows {
            text.clear();
            ends.clear();
            ends.push(0);
            for decimal in row {
                write_decimal(&mut text, decimal);
                ends.push(text.len());
            }
            let values: Vec<&str> =
                ends.windows(2).map(|pair| text.get(pair[0]..pair[1]).unwrap_or_default()).collect();
            slot.push((!values.is_empty()).then_some(values.as_slice()));
        }
    }

    /// The columns that hold a value, in their order.
    pub(super) fn finish(self) -> Result<Frame, FrameError> {
        let rows = self.rows;
        let mut placed = self.columns(None);
        placed.retain(|(_, column)| column.is_some());
        Ok(Frame(DataFrame::new(rows, placed.into_iter().filter_map(|(_, column)| column).collect())?))
    }

    /// `frame` with every column that these are, in their order: one that was left out holds no value in any row.
    pub(super) fn complete(self, frame: &DataFrame) -> Result<DataFrame, FrameError> {
        let columns = self.columns(Some(frame));
        Ok(DataFrame::new(frame.height(), columns.into_iter().filter_map(|(_, column)| column).collect())?)
    }

    /// The columns by their place. With a `frame` they are taken from it, or made empty at its height.
    fn columns(self, frame: Option<&DataFrame>) -> Vec<(usize, Option<Column>)> {
        let mut placed = Vec::with_capacity(self.named);
        self.texts.finish(frame, &mut placed);
        self.integers.finish(frame, &mut placed);
        self.hashes.finish(frame, &mut placed);
        self.flags.finish(frame, &mut placed);
        self.text_lists.finish(frame, &mut placed);
        self.integer_lists.finish(frame, &mut placed);
        placed.sort_by_key(|(place, _)| *place);
        placed
    }
}

fn write_decimal(text: &mut String, decimal: Option<Decimal>) {
    match decimal {
        None => {}
        // Nearly every quantity.
        Some(decimal) if decimal == Decimal::ONE && decimal.scale() == 0 => text.push('1'),
        Some(decimal) => {
            // Writing to a `String` cannot fail.
            let _ = write!(text, "{decimal}");
        }
    }
}

/// Columns of one type.
struct Family<B> {
    slots: Vec<Slot<B>>,
    /// The slot that is named next in this chunk.
    next: usize,
}

/// A column and its place among all.
struct Slot<B> {
    place: usize,
    name: &'static str,
    /// Rows before the first value.
    absent: usize,
    built: Option<B>,
}

impl<B> Default for Family<B> {
    fn default() -> Self {
        Self { slots: Vec::new(), next: 0 }
    }
}

impl<B: Build> Family<B> {
    fn slot(&mut self, place: usize, name: &'static str) -> &mut Slot<B> {
        if self.next == self.slots.len() {
            self.slots.push(Slot { place, name, absent: 0, built: None });
        }
        self.next += 1;
        &mut self.slots[self.next - 1]
    }

    fn extend<'v>(
        &mut self,
        place: usize,
        name: &'static str,
        values: impl Iterator<Item = Option<B::Value<'v>>>,
    ) {
        let slot = self.slot(place, name);
        for value in values {
            slot.push(value);
        }
    }

    fn finish(self, frame: Option<&DataFrame>, placed: &mut Vec<(usize, Option<Column>)>) {
        for slot in self.slots {
            let column = match frame {
                None => slot.built.map(|built| built.done().into_column()),
                Some(frame) => Some(frame.column(slot.name).cloned().unwrap_or_else(|_| {
                    let mut built = B::begin(slot.name);
                    (0..frame.height()).for_each(|_| built.push(None));
                    built.done().into_column()
                })),
            };
            placed.push((slot.place, column));
        }
    }
}

impl<B: Build> Slot<B> {
    #[inline]
    fn push(&mut self, value: Option<B::Value<'_>>) {
        if value.is_none() && self.built.is_none() {
            self.absent += 1;
            return;
        }
        let (name, absent) = (self.name, self.absent);
        let built = self.built.get_or_insert_with(|| {
            let mut built = B::begin(name);
            (0..absent).for_each(|_| built.push(None));
            built
        });
        built.push(value);
    }
}

/// What builds a column, value after value.
trait Build {
    type Value<'v>;
    fn begin(name: &str) -> Self;
    /// `None` is null, or an empty list.
    fn push(&mut self, value: Option<Self::Value<'_>>);
    fn done(self) -> Series;
}

macro_rules! build_plain {
    ($($builder:ty: $value:ty),+ $(,)?) => {
        $(impl Build for $builder {
            type Value<'v> = $value;
            fn begin(name: &str) -> Self {
                Self::new(name.into(), 0)
            }
            #[inline]
            fn push(&mut self, value: Option<Self::Value<'_>>) {
                self.append_option(value);
            }
            fn done(self) -> Series {
                self.finish().into_series()
            }
        })+
    };
}

build_plain! {
    StringChunkedBuilder: &'v str,
    PrimitiveChunkedBuilder<Int64Type>: i64,
    PrimitiveChunkedBuilder<UInt64Type>: u64,
    BooleanChunkedBuilder: bool,
}

impl Build for ListStringChunkedBuilder {
    type Value<'v> = &'v [&'v str];
    fn begin(name: &str) -> Self {
        Self::new(name.into(), 0, 0)
    }
    fn push(&mut self, value: Option<Self::Value<'_>>) {
        self.append_values_iter(value.unwrap_or_default().iter().copied());
    }
    fn done(mut self) -> Series {
        self.finish().into_series()
    }
}

impl Build for ListPrimitiveChunkedBuilder<Int64Type> {
    type Value<'v> = &'v [Option<i64>];
    fn begin(name: &str) -> Self {
        Self::new(name.into(), 0, 0, DataType::Int64)
    }
    fn push(&mut self, value: Option<Self::Value<'_>>) {
        self.append_iter(value.unwrap_or_default().iter().copied());
    }
    fn done(mut self) -> Series {
        self.finish().into_series()
    }
}
