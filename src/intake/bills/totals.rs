use rust_decimal::Decimal;

use super::refusal::Refusal;

/// What the check of a file against its own summary found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TotalsCheck {
    /// Every total of the summary equals the sum of the rows.
    Matched,
    /// A row's amounts could not be read (it is among the rejected ones), so the sums cannot be compared.
    NotComparable,
    /// The format has no summary.
    NoSummary,
}

impl TotalsCheck {
    /// The word in the database and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Matched => "matched",
            Self::NotComparable => "not_comparable",
            Self::NoSummary => "no_summary",
        }
    }

    /// The worse of two.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::NotComparable, _) | (_, Self::NotComparable) => Self::NotComparable,
            (Self::Matched, _) | (_, Self::Matched) => Self::Matched,
            _ => Self::NoSummary,
        }
    }
}

/// One of a file's own totals, and what the rows come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Control {
    /// The total's name, in the file's own words.
    pub what: String,
    pub printed: String,
    pub computed: String,
}

/// A sum of one column, as printed, exactly.
#[derive(Clone, Copy, Debug, Default)]
pub struct ColumnSum {
    sum: Decimal,
    overflown: bool,
}

impl ColumnSum {
    /// Adds a value.
    pub fn add(&mut self, value: Decimal) {
        match self.sum.checked_add(value) {
            Some(sum) => self.sum = sum,
            None => self.overflown = true,
        }
    }

    /// The sum so far.
    pub const fn value(self) -> Decimal {
        self.sum
    }

    /// Compares with what the summary prints.
    ///
    /// # Errors
    /// [`Refusal::TotalsDiffer`].
    pub fn check(self, what: &str, printed: Decimal) -> Result<Control, Refusal> {
        let what = what.to_owned();
        let (shown, computed) = (printed.normalize().to_string(), self.sum.normalize().to_string());
        if self.sum == printed && !self.overflown {
            return Ok(Control { what, printed: shown, computed });
        }
        Err(Refusal::TotalsDiffer { what, printed: shown, computed })
    }
}
