/// Longest redacted line that is kept.
const RAW_CHARS_MAX: usize = 2_000;
/// Longest quoted cell in a sentence.
const CELL_CHARS_MAX: usize = 80;

/// Why one line of a file is not taken; the others are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RejectCode {
    /// The line has not as many cells as the header.
    ColumnCount,
    /// A cell that must be filled is empty.
    Missing,
    /// Longer than any such id or word.
    TooLong,
    NotAnAmount,
    AmountOutOfRange,
    /// More decimal places than the currency has.
    TooManyDecimals,
    /// Gross, fee and net of one line contradict each other.
    DoesNotAddUp,
    /// An amount that cannot be negative is.
    NegativeAmount,
    NotATime,
    /// A time without its seconds: Excel has saved the file.
    SecondsMissing,
    /// The clocks were put forward over this local time.
    NoSuchTime,
    TimeOutOfRange,
    /// A zone's abbreviation with several meanings, or none.
    UnknownZone,
    /// More than 24 hours from now.
    InTheFuture,
    UnknownKind,
    UnknownStatus,
    UnknownCurrency,
    /// A provider's or method's word is no lower-case slug.
    NotASlug,
    CardNumber,
    /// An id with characters that nobody can see or type.
    ControlCharacter,
    /// A spreadsheet's formula in the place of a number.
    Formula,
    /// The mapping rejects such lines.
    RejectedByMapping,
    /// Another line of the same transaction was rejected, so its sum would be wrong.
    TransactionRejected,
    TooManyItems,
    Unreadable,
}

impl RejectCode {
    /// Every code.
    pub const ALL: [Self; 25] = [
        Self::ColumnCount,
        Self::Missing,
        Self::TooLong,
        Self::NotAnAmount,
        Self::AmountOutOfRange,
        Self::TooManyDecimals,
        Self::DoesNotAddUp,
        Self::NegativeAmount,
        Self::NotATime,
        Self::SecondsMissing,
        Self::NoSuchTime,
        Self::TimeOutOfRange,
        Self::UnknownZone,
        Self::InTheFuture,
        Self::UnknownKind,
        Self::UnknownStatus,
        Self::UnknownCurrency,
        Self::NotASlug,
        Self::CardNumber,
        Self::ControlCharacter,
        Self::Formula,
        Self::RejectedByMapping,
        Self::TransactionRejected,
        Self::TooManyItems,
        Self::Unreadable,
    ];

    /// Stable code.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ColumnCount => "column_count",
            Self::Missing => "missing",
            Self::TooLong => "too_long",
            Self::NotAnAmount => "not_an_amount",
            Self::AmountOutOfRange => "amount_out_of_range",
            Self::TooManyDecimals => "too_many_decimals",
            Self::DoesNotAddUp => "does_not_add_up",
            Self::NegativeAmount => "negative_amount",
            Self::NotATime => "not_a_time",
            Self::SecondsMissing => "seconds_missing",
            Self::NoSuchTime => "no_such_time",
            Self::TimeOutOfRange => "time_out_of_range",
            Self::UnknownZone => "unknown_zone",
            Self::InTheFuture => "in_the_future",
            Self::UnknownKind => "unknown_kind",
            Self::UnknownStatus => "unknown_status",
            Self::UnknownCurrency => "unknown_currency",
            Self::NotASlug => "not_a_slug",
            Self::CardNumber => "pan_suspected",
            Self::ControlCharacter => "control_character",
            Self::Formula => "formula",
            Self::RejectedByMapping => "rejected_by_mapping",
            Self::TransactionRejected => "transaction_rejected",
            Self::TooManyItems => "too_many_items",
            Self::Unreadable => "unreadable",
        }
    }

    const fn sentence(self) -> &'static str {
        match self {
            Self::ColumnCount => "the line has another number of cells than the header",
            Self::Missing => "a value is needed here",
            Self::TooLong => "the value is too long",
            Self::NotAnAmount => "this is not a decimal amount",
            Self::AmountOutOfRange => "the amount is out of range",
            Self::TooManyDecimals => "the amount has more decimal places than its currency",
            Self::DoesNotAddUp => "gross, fee and net of this line do not add up",
            Self::NegativeAmount => "the amount must not be negative",
            Self::NotATime => "this is not a date and time",
            Self::SecondsMissing => "the seconds are missing: Excel has saved this file",
            Self::NoSuchTime => "the clocks were put forward over this time",
            Self::TimeOutOfRange => "the year is out of range",
            Self::UnknownZone => {
                "this time zone is unknown or has several meanings: say which zone the account is in"
            }
            Self::InTheFuture => "the time is more than 24 hours in the future",
            Self::UnknownKind => "this kind of line is unknown",
            Self::UnknownStatus => "this status is unknown",
            Self::UnknownCurrency => "this currency is unknown",
            Self::NotASlug => "this must be lower-case letters, digits, `_` or `-`",
            Self::CardNumber => "the text looks like a card number; the line was not kept",
            Self::ControlCharacter => {
                "there are invisible characters in this number: download the file again"
            }
            Self::Formula => "a formula stands where a number belongs: download the file again",
            Self::RejectedByMapping => "the mapping rejects such lines",
            Self::TransactionRejected => "another line of this transaction was rejected",
            Self::TooManyItems => "the transaction has too many lines",
            Self::Unreadable => "the line cannot be read",
        }
    }
}

/// What is wrong with one cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The column's name as in the file; empty when it is the whole line.
    pub field: String,
    pub code: RejectCode,
    /// What stands there, shortened; never a shopper's reference, never something like a card number.
    pub cell: Option<String>,
}

impl Fault {
    /// A fault of this column.
    pub fn new(field: &str, code: RejectCode) -> Self {
        Self { field: field.to_owned(), code, cell: None }
    }

    /// A fault of this column that quotes what stands there.
    pub fn quoting(field: &str, code: RejectCode, cell: &str) -> Self {
        let cell = Some(cell.chars().take(CELL_CHARS_MAX).collect());
        Self { field: field.to_owned(), code, cell }
    }
}

/// A line that was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedLine {
    /// Number of the line in the file, from 1.
    pub line: u64,
    pub field: String,
    pub code: RejectCode,
    /// In English; pages translate by the code.
    pub sentence: String,
    /// The line without what points to a shopper; `None` where it must not be kept.
    pub raw: Option<String>,
}

impl RejectedLine {
    /// A rejected line; `raw` is dropped when it looked like a card number.
    pub fn new(line: u64, fault: Fault, raw: Option<String>) -> Self {
        let card = fault.code == RejectCode::CardNumber;
        let sentence = match fault.cell.filter(|_| !card) {
            Some(cell) => format!("{} (“{cell}”)", fault.code.sentence()),
            None => fault.code.sentence().to_owned(),
        };
        let raw = raw.filter(|_| !card).map(|text| text.chars().take(RAW_CHARS_MAX).collect());
        Self { line, field: fault.field, code: fault.code, sentence, raw }
    }
}
