use std::borrow::Cow;

use serde::Serialize;

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $text:literal),+ $(,)?) => {
        /// Why a row was refused. The words are part of the API and do not change.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code { $($(#[$doc])* $variant),+ }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }
    };
}

codes! {
    /// Not JSON, or cut off.
    InvalidJson = "invalid_json",
    /// Bytes that are no UTF-8 (GBK, for instance).
    NotUtf8 = "not_utf8",
    RowTooLong = "row_too_long",
    /// A required field is absent, `null` or empty.
    Missing = "missing",
    UnknownField = "unknown_field",
    DuplicateField = "duplicate_field",
    WrongType = "wrong_type",
    TooLong = "too_long",
    /// A list or an object with more entries than allowed.
    TooMany = "too_many",
    /// Control characters in a text.
    ControlCharacter = "control_character",
    /// Not one of the words that this field may hold.
    UnknownValue = "unknown_value",
    UnknownCurrency = "unknown_currency",
    /// Not a lower-case slug.
    NotASlug = "not_a_slug",
    /// A status that this kind of transaction cannot have.
    StatusMismatch = "status_mismatch",
    OutOfRange = "out_of_range",
    /// Not RFC 3339 with an offset, or no such day.
    InvalidTime = "invalid_time",
    /// More than 24 hours ahead of our clock.
    InFuture = "in_future",
    /// No store of this key: not there, or not this key's. The two look the same.
    UnknownStore = "unknown_store",
    /// The key is bound to several stores and the row names none.
    StoreRequired = "store_required",
    /// `"test": false` under a test key.
    TestKey = "test_key",
    /// What looks like a card number, or a field for one.
    PanSuspected = "pan_suspected",
}

impl Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// What is wrong with a row: the field, never its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::intake) struct Fault {
    pub(in crate::intake) field: Cow<'static, str>,
    pub(in crate::intake) code: Code,
    pub(in crate::intake) message: Cow<'static, str>,
}

impl Fault {
    pub(in crate::intake) fn new(
        field: impl Into<Cow<'static, str>>,
        code: Code,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { field: field.into(), code, message: message.into() }
    }

    /// The same inside an entry of a list.
    pub(super) fn within(self, list: &str, place: usize) -> Self {
        Self { field: Cow::Owned(format!("{list}[{place}].{}", self.field)), ..self }
    }

    /// The same inside an object.
    pub(super) fn inside(self, object: &str) -> Self {
        Self { field: Cow::Owned(format!("{object}.{}", self.field)), ..self }
    }

    pub(in crate::intake) fn at(self, index: usize) -> RowError {
        RowError { index, field: self.field, code: self.code, message: self.message }
    }
}

/// A refused row: which one, which field, why. Values are never repeated: they may be what must not be kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RowError {
    /// Place of the row in the batch, from 0.
    pub index: usize,
    /// For instance `items[3].sku`; empty when the row as a whole is at fault.
    pub field: Cow<'static, str>,
    pub code: Code,
    /// A sentence that continues the field's name.
    pub message: Cow<'static, str>,
}
