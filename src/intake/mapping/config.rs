use std::collections::BTreeMap;

use chrono_tz::Tz;
use serde::{Deserialize, Deserializer};

use super::super::api::{ATTRIBUTES_MAX, SLUG_CHARS_MAX};
use super::super::bills::{Refusal, encoding_of};
use crate::domain::{Currency, Kind, Status, Word};

/// Bytes of a mapping file; one of every option has two thousand.
pub const MAPPING_BYTES_MAX: usize = 64 << 10;

/// How a CSV file of any shop becomes transactions. Strict: a key that is not known is an error.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    /// What the file is, for people.
    pub name: String,
    /// `utf-8`, `gbk` …; must then be met. Without it UTF-8 is tried, then GB18030.
    pub encoding: Option<String>,
    #[serde(default = "comma")]
    pub delimiter: char,
    /// The zone of times without an offset, e.g. `Europe/London`.
    #[serde(deserialize_with = "zone")]
    pub zone: Tz,
    pub currency: Currency,
    /// Merchant account of every transaction.
    #[serde(default = "default_account")]
    pub account: String,
    /// Provider of every transaction, where one holds for all.
    pub provider: Option<String>,
    /// Method of every transaction, where one holds for all.
    pub method: Option<String>,
    pub transaction: TransactionColumns,
    pub amount: Amount,
    pub items: Option<ItemColumns>,
    /// Rules in order; the first whose condition holds decides. A line that none fits is rejected.
    pub kind: Vec<KindRule>,
}

/// How lines become transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lines {
    /// All lines of one id are one transaction, wherever they stand.
    Grouped,
    /// Each line is a transaction.
    Single,
}

/// Columns of a transaction.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransactionColumns {
    /// Column of the id.
    pub id: String,
    pub lines: Lines,
    /// Of several lines the earliest counts.
    pub created_at: TimeColumn,
    pub customer: Option<CustomerColumn>,
    /// Attribute → column.
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
    /// Field → column.
    #[serde(default)]
    pub fields: BTreeMap<TextField, String>,
    pub status: Option<StatusColumn>,
    /// Column of the fee in major units; more than 0 is a cost.
    pub fee: Option<String>,
}

/// A column with a time.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeColumn {
    pub column: String,
    /// Tried in order, in the notation of `strftime`; one with `%z` brings its own offset.
    pub formats: Vec<String>,
}

/// A column that names a customer.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CustomerColumn {
    pub column: String,
    /// Cut off where it stands: `.0` of ids that went through a spreadsheet.
    pub without_suffix: Option<String>,
}

/// A column of statuses in the shop's own words.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusColumn {
    pub column: String,
    pub values: BTreeMap<String, Status>,
}

/// Text fields of a transaction that a column can fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TextField {
    OrderId,
    PaymentId,
    ParentTransactionId,
    ProviderTransactionId,
    Provider,
    Method,
    Operator,
    Terminal,
    Shift,
    Device,
    Source,
    Campaign,
    Promotion,
    FailureCode,
    FailureMessage,
}

/// Where the amount comes from.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, tag = "from", rename_all = "snake_case")]
pub enum Amount {
    /// Sum of quantity × unit amount over the lines, exact, rounded once.
    Items,
    /// Sum of this column over the lines.
    Column { column: String, unit: Unit },
}

/// Unit of an amount column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// `12.50`
    Major,
    /// `1250`
    Minor,
}

/// Columns of an item.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ItemColumns {
    pub sku: Option<String>,
    pub name: Option<String>,
    pub quantity: String,
    pub unit_amount: String,
}

/// What a line with this condition is.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KindRule {
    pub when: Condition,
    /// The kind, or nothing where such lines are rejected.
    pub kind: Option<Kind>,
    /// `as_is`, or `without_sign` for files in which money given back is negative.
    #[serde(default)]
    pub amount: Sign,
    /// Why such lines are rejected.
    pub reject: Option<String>,
}

/// What a cell must be. All parts that are given must hold.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    pub column: String,
    /// Only digits, at least one.
    pub digits: Option<bool>,
    pub prefix: Option<String>,
    pub equals: Option<String>,
    /// Holds for every cell.
    pub any: Option<bool>,
}

/// What becomes of the sum's sign.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sign {
    /// A negative sum is a fault.
    #[default]
    AsIs,
    WithoutSign,
}

fn comma() -> char {
    ','
}

fn default_account() -> String {
    "default".to_owned()
}

fn zone<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Tz, D::Error> {
    let name = String::deserialize(deserializer)?;
    name.parse().map_err(|_| serde::de::Error::custom(format!("unknown time zone `{name}`")))
}

impl Mapping {
    /// Reads a mapping file.
    ///
    /// # Errors
    /// [`Refusal::Mapping`] in the words of what is wrong, with its place in the file.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        if text.len() > MAPPING_BYTES_MAX {
            return Err(Refusal::Mapping(format!("it is larger than {} KiB", MAPPING_BYTES_MAX >> 10)));
        }
        let mapping: Self = toml::from_str(text).map_err(|error| Refusal::Mapping(error.to_string()))?;
        mapping.check().map_err(Refusal::Mapping)?;
        Ok(mapping)
    }

    fn check(&self) -> Result<(), String> {
        if self.kind.is_empty() {
            return Err("it has no [[kind]] rule, so no line can become a transaction".into());
        }
        for rule in &self.kind {
            if rule.kind.is_some() == rule.reject.is_some() {
                return Err("each [[kind]] needs either `kind` or `reject`".into());
            }
            let condition = &rule.when;
            let parts = [
                condition.digits.is_some(),
                condition.prefix.is_some(),
                condition.equals.is_some(),
                condition.any.is_some(),
            ];
            if !parts.contains(&true) {
                return Err("a `when` needs one of `digits`, `prefix`, `equals`, `any`".into());
            }
        }
        if matches!(self.amount, Amount::Items) && self.items.is_none() {
            return Err("`amount.from = \"items\"` needs an [items] table".into());
        }
        if self.transaction.attributes.len() > ATTRIBUTES_MAX {
            return Err(format!("it has more than {ATTRIBUTES_MAX} attributes"));
        }
        if self.transaction.created_at.formats.is_empty() {
            return Err("`created_at.formats` is empty".into());
        }
        for format in &self.transaction.created_at.formats {
            if chrono::format::StrftimeItems::new(format).any(|item| item == chrono::format::Item::Error) {
                return Err(format!("`{format}` is no date format"));
            }
        }
        if let Some(name) = &self.encoding
            && encoding_of(name).is_none()
        {
            return Err(format!("unknown encoding `{name}`"));
        }
        if !self.delimiter.is_ascii() || self.delimiter.is_ascii_alphanumeric() || self.delimiter == '"' {
            return Err(format!("`{}` cannot divide cells", self.delimiter));
        }
        for slug in [&self.provider, &self.method].into_iter().flatten() {
            slug_of(slug).ok_or_else(|| format!("`{slug}` is no lower-case slug"))?;
        }
        Ok(())
    }
}

/// A provider's or method's word; `None` when it is no lower-case slug.
pub fn slug_of(text: &str) -> Option<Word> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-');
    (!text.is_empty() && text.len() <= SLUG_CHARS_MAX && text.bytes().all(plain)).then(|| Word::of(text))
}

impl Condition {
    /// True when the cell fits.
    pub fn holds(&self, cell: &str) -> bool {
        let is_number = !cell.is_empty() && cell.bytes().all(|byte| byte.is_ascii_digit());
        self.digits.is_none_or(|wanted| wanted == is_number)
            && self.prefix.as_ref().is_none_or(|prefix| cell.starts_with(prefix.as_str()))
            && self.equals.as_ref().is_none_or(|whole| cell == whole)
            && self.any.is_none_or(|any| any)
    }
}
