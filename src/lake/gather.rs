//! Rows of a frame at given places. Polars makes an array of its own for each list it takes, which is most of the cost
//! of a basket; here the values of all lists of a column are taken at once.

use polars::error::{PolarsError, PolarsResult};
use polars::prelude::{
    Column, CompatLevel, DataFrame, DataType, IdxCa, IdxSize, IntoColumn, LargeListArray, ListChunked,
    NewChunkedArray,
};

/// The rows at these places, in that order.
///
/// # Errors
/// When a place lies outside.
pub(super) fn gather(data: &DataFrame, places: &[usize]) -> PolarsResult<DataFrame> {
    let rows = places.len();
    let narrow: Option<Vec<IdxSize>> = places
        .iter()
        .map(|place| IdxSize::try_from(*place).ok().filter(|_| *place < data.height()))
        .collect();
    let places = IdxCa::from_slice("".into(), &narrow.ok_or_else(outside)?);
    let columns: PolarsResult<Vec<Column>> =
        data.columns().iter().map(|column| gather_column(column, &places)).collect();
    DataFrame::new(rows, columns?)
}

fn outside() -> PolarsError {
    PolarsError::OutOfBounds("a row beyond the end".into())
}

fn gather_column(column: &Column, places: &IdxCa) -> PolarsResult<Column> {
    match column.dtype() {
        DataType::List(_) if column.null_count() == 0 => {
            Ok(gather_lists(column.list()?, places)?.into_column())
        }
        _ => column.take(places),
    }
}

/// Of lists none of which is null.
fn gather_lists(lists: &ListChunked, places: &IdxCa) -> PolarsResult<ListChunked> {
    let lists = lists.rechunk();
    let Some(array) = lists.downcast_iter().next() else { return Err(outside()) };
    let ends = array.offsets().as_slice();
    let mut offsets = Vec::with_capacity(places.len() + 1);
    let mut within: Vec<IdxSize> = Vec::with_capacity(places.len());
    offsets.push(0_i64);
    for place in places.iter().flatten() {
        let place = usize::try_from(place).map_err(|_| outside())?;
        let [from, until] = *ends.get(place..place + 2).ok_or_else(outside)? else { return Err(outside()) };
        let narrow = |end: i64| IdxSize::try_from(end).map_err(|_| outside());
        within.extend(narrow(from)?..narrow(until)?);
        offsets.push(i64::try_from(within.len()).map_err(|_| outside())?);
    }
    let values = lists.get_inner().take(&IdxCa::from_vec("".into(), within))?.rechunk();
    let [values] = &values.chunks()[..] else { return Err(outside()) };
    let gathered = LargeListArray::try_new(
        lists.dtype().to_arrow(CompatLevel::newest()),
        offsets.try_into()?,
        values.clone(),
        None,
    )?;
    Ok(ListChunked::with_chunk(lists.name().clone(), gathered))
}

#[cfg(test)]
mod tests {
    use polars::prelude::{NamedFrom, Series, df};
    use proptest::prelude::*;

    use super::*;

    fn lists(rows: &[Vec<Option<i64>>]) -> DataFrame {
        let numbers: Vec<Series> = rows.iter().map(|row| Series::new("".into(), row)).collect();
        let text = |row: &Vec<Option<i64>>| -> Series {
            let texts: Vec<Option<String>> = row
                .iter()
                .map(|number| number.map(|number| format!("longer than a view: {number}")))
                .collect();
            Series::new("".into(), texts)
        };
        let texts: Vec<Series> = rows.iter().map(text).collect();
        let first: Vec<Option<i64>> = rows.iter().map(|row| row.first().copied().flatten()).collect();
        let dtype = DataType::List(Box::new(DataType::Int64));
        let numbers = Series::new("numbers".into(), numbers).cast(&dtype).unwrap();
        let texts =
            Series::new("texts".into(), texts).cast(&DataType::List(Box::new(DataType::String))).unwrap();
        df!("first" => first, "numbers" => numbers, "texts" => texts).unwrap()
    }

    proptest! {
        #[test]
        fn it_takes_what_polars_takes(
            rows in proptest::collection::vec(
                proptest::collection::vec(proptest::option::of(-9..9_i64), 0..4), 1..30),
            picks in proptest::collection::vec(any::<proptest::sample::Index>(), 0..40),
            first in 0..5_usize,
        ) {
            // In several pieces, and a slice whose lists do not begin at 0.
            let mut frame = lists(&rows);
            frame.vstack_mut(&lists(&rows)).unwrap();
            let first = first.min(frame.height() - 1);
            let frame = frame.slice(i64::try_from(first).unwrap(), frame.height());
            let places: Vec<usize> = picks.iter().map(|pick| pick.index(frame.height())).collect();
            let narrow: Vec<IdxSize> = places.iter().map(|place| IdxSize::try_from(*place).unwrap()).collect();
            let expected = frame.take(&IdxCa::from_slice("".into(), &narrow)).unwrap();
            let found = gather(&frame, &places).unwrap();
            prop_assert_eq!(found.schema(), expected.schema());
            prop_assert!(found.equals_missing(&expected), "{found:?} is not {expected:?}");
        }
    }

    #[test]
    fn a_place_outside_is_refused() {
        let frame = lists(&[vec![Some(1)], vec![]]);
        assert_eq!(gather(&frame, &[1, 0, 1]).unwrap().height(), 3);
        assert!(gather(&frame, &[2]).is_err());
    }
}
