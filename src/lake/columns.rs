use polars::prelude::{
    Column, DataFrame, DataType, Int64Type, IntoColumn, ListBuilderTrait, ListPrimitiveChunkedBuilder,
    ListStringChunkedBuilder, NamedFrom, PolarsError, Series,
};

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

/// Builds the columns of a frame one by one, each from all its rows.
#[derive(Default)]
pub(super) struct Columns(Vec<Column>);

impl Columns {
    pub(super) fn text<'a>(&mut self, name: &str, values: impl Iterator<Item = Option<&'a str>>) {
        let values: Vec<Option<&str>> = values.collect();
        self.0.push(Series::new(name.into(), values).into_column());
    }

    pub(super) fn integer(&mut self, name: &str, values: impl Iterator<Item = Option<i64>>) {
        let values: Vec<Option<i64>> = values.collect();
        self.0.push(Series::new(name.into(), values).into_column());
    }

    pub(super) fn hash(&mut self, name: &str, values: impl Iterator<Item = u64>) {
        let values: Vec<u64> = values.collect();
        self.0.push(Series::new(name.into(), values).into_column());
    }

    pub(super) fn flag(&mut self, name: &str, values: impl Iterator<Item = Option<bool>>) {
        let values: Vec<Option<bool>> = values.collect();
        self.0.push(Series::new(name.into(), values).into_column());
    }

    /// One list of texts per row. A missing text inside is empty: parallel lists keep their length.
    pub(super) fn texts<'a, L: Iterator<Item = &'a str>>(
        &mut self,
        name: &str,
        rows: impl Iterator<Item = L>,
    ) {
        let mut builder = ListStringChunkedBuilder::new(name.into(), 0, 0);
        for row in rows {
            builder.append_values_iter(row);
        }
        self.0.push(builder.finish().into_column());
    }

    /// One list of integers per row; a missing one inside is null.
    pub(super) fn integers<L: Iterator<Item = Option<i64>>>(
        &mut self,
        name: &str,
        rows: impl Iterator<Item = L>,
    ) {
        let mut builder = ListPrimitiveChunkedBuilder::<Int64Type>::new(name.into(), 0, 0, DataType::Int64);
        for row in rows {
            let values: Vec<Option<i64>> = row.collect();
            builder.append_iter(values.into_iter());
        }
        self.0.push(builder.finish().into_column());
    }

    pub(super) fn finish(self, rows: usize) -> Result<Frame, FrameError> {
        Ok(Frame(DataFrame::new(rows, self.0)?))
    }
}
