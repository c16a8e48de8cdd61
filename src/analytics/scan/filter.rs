//! Which rows a filter takes.

use crate::domain::{StoreId, Stream, Word};
use crate::lake::{Frame, FrameError, Table};

/// Chosen values of one dimension.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Selection {
    #[default]
    Any,
    Only(Vec<Word>),
    Except(Vec<Word>),
}

impl Selection {
    /// True when a record with this value counts.
    pub fn takes(&self, word: Word) -> bool {
        match self {
            Self::Any => true,
            Self::Only(words) => words.contains(&word),
            Self::Except(words) => !words.contains(&word),
        }
    }

    /// True when every value counts.
    pub fn is_any(&self) -> bool {
        match self {
            Self::Any => true,
            Self::Only(_) => false,
            Self::Except(words) => words.is_empty(),
        }
    }
}

/// Which records count, in reports and scans. A payment is of a category when any line of its basket is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    pub provider: Selection,
    pub method: Selection,
    pub scene: Selection,
    pub operator: Selection,
    pub promotion: Selection,
    /// Categories of basket lines.
    pub category: Selection,
    /// Key and value of an attribute; only a scan of rows can answer it.
    pub attribute: Option<(String, String)>,
}

impl Filter {
    /// The columns that decide whether a row is taken, the store's first.
    pub(super) fn columns(&self, stream: Stream) -> Vec<&'static str> {
        let mut columns = vec!["store"];
        let dimensions = [
            ("provider", &self.provider),
            ("method", &self.method),
            ("scene", &self.scene),
            ("operator", &self.operator),
        ];
        columns.extend(dimensions.iter().filter(|(_, of)| !of.is_any()).map(|(name, _)| *name));
        if stream == Stream::Transactions && !self.promotion.is_any() {
            columns.push("promotion");
        }
        if self.attribute.is_some() {
            columns.extend(["attribute_key", "attribute_value"]);
        }
        if !self.category.is_any() {
            columns.push(if stream == Stream::Transactions { "item_category" } else { "category" });
        }
        columns
    }
}

pub(in crate::analytics) fn masked(rows: &Frame, mask: &[bool]) -> Result<Frame, FrameError> {
    let places: Vec<usize> = (0..mask.len()).filter(|row| mask.get(*row) == Some(&true)).collect();
    if places.len() == rows.rows() { Ok(rows.clone()) } else { rows.take(&places) }
}

/// The rows of these stores that the filter takes.
pub(in crate::analytics) fn filter_rows(
    rows: &Frame,
    filter: &Filter,
    stores: &[StoreId],
    stream: Stream,
) -> Result<Frame, FrameError> {
    let data = rows.data();
    let store = data.column("store")?.i64()?;
    let mut mask: Vec<bool> =
        store.iter().map(|store| store.is_some_and(|store| stores.contains(&StoreId(store)))).collect();
    for (name, selection) in [
        ("provider", &filter.provider),
        ("method", &filter.method),
        ("scene", &filter.scene),
        ("operator", &filter.operator),
        ("promotion", &filter.promotion),
    ] {
        if name == "promotion" && stream == Stream::LedgerLines {
            // Bills know no promotion: none of theirs is of one.
            let none = selection.takes(Word::NONE);
            for keep in &mut mask {
                *keep = *keep && none;
            }
        } else if !selection.is_any() {
            let values = data.column(name)?.str()?;
            for (keep, value) in mask.iter_mut().zip(values.iter()) {
                *keep = *keep && selection.takes(Word::of(value.unwrap_or_default()));
            }
        }
    }
    if let Some((key, value)) = &filter.attribute {
        for (keep, found) in mask.iter_mut().zip(attribute_values(rows, key)?) {
            *keep = *keep && found.as_deref() == Some(value);
        }
    }
    if !filter.category.is_any() {
        for (row, keep) in mask.iter_mut().enumerate() {
            *keep = *keep && has_category(rows, row, &filter.category, stream)?;
        }
    }
    masked(rows, &mask)
}

fn has_category(rows: &Frame, row: usize, selection: &Selection, stream: Stream) -> Result<bool, FrameError> {
    if stream == Stream::LedgerLines {
        let category = rows.data().column("category")?.str()?.get(row).unwrap_or_default();
        return Ok(selection.takes(Word::of(category)));
    }
    let Some(lines) = rows.data().column("item_category")?.list()?.get_as_series(row) else {
        return Ok(false);
    };
    Ok(lines.str()?.iter().any(|category| selection.takes(Word::of(category.unwrap_or_default()))))
}

/// The value of one attribute per row; `None` where a row has no such key.
pub(in crate::analytics) fn attribute_values(
    rows: &Frame,
    key: &str,
) -> Result<Vec<Option<String>>, FrameError> {
    let keys = rows.data().column("attribute_key")?.list()?;
    let values = rows.data().column("attribute_value")?.list()?;
    (0..rows.rows())
        .map(|row| {
            let (Some(keys), Some(values)) = (keys.get_as_series(row), values.get_as_series(row)) else {
                return Ok(None);
            };
            let place = keys.str()?.iter().position(|found| found == Some(key));
            Ok(place.and_then(|place| values.str().ok()?.get(place).map(str::to_owned)))
        })
        .collect()
}
