use std::collections::BTreeMap;

use chrono_tz::Tz;
use serde::{Deserialize, Deserializer, Serialize};

use super::super::api::{ATTRIBUTES_MAX, SLUG_CHARS_MAX};
use super::super::bills::encoding_of;
use super::amounts::amount;
use crate::domain::{Currency, Kind, Status, Word};

/// Bytes of a mapping file; one of every option has two thousand.
pub const MAPPING_BYTES_MAX: usize = 64 << 10;

/// How the lines of any table become transactions. Strict: a key that is not known is an error.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransactionMapping {
    /// What the file is, for people.
    pub name: String,
    /// `transactions`, which is also what a mapping without the word makes.
    #[serde(default)]
    pub makes: Makes,
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
    /// Lines that are passed over.
    #[serde(default)]
    pub skip: Vec<Condition>,
    /// First words of lines that only sum up others: `合计`.
    #[serde(default)]
    pub footer: Vec<String>,
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

/// What a mapping's lines become.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Makes {
    /// Attempts, refunds, disputes: what the shop or its till says.
    #[default]
    Transactions,
    /// What a provider or bank says moved.
    LedgerLines,
}

/// One column, or several whose cells together say something.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(untagged)]
pub enum ColumnNames {
    One(String),
    Several(Vec<String>),
    #[default]
    None,
}

impl ColumnNames {
    /// The names in order.
    pub fn names(&self) -> &[String] {
        match self {
            Self::One(name) => std::slice::from_ref(name),
            Self::Several(names) => names,
            Self::None => &[],
        }
    }
}

/// The shop's own words for what must be a lower-case slug, e.g. `微信` → `wechat_pay`; `*` is for all others.
pub type Words = BTreeMap<SlugField, BTreeMap<String, String>>;

/// Fields whose values are slugs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SlugField {
    Provider,
    Method,
}

/// The slug of a word of the file.
pub fn word_of(words: &Words, field: SlugField, text: &str) -> Option<String> {
    let known = words.get(&field);
    let said = known.and_then(|known| known.get(text).or_else(|| known.get("*")));
    said.cloned().or_else(|| slug_of(text).map(|_| text.to_owned()))
}

/// A file of several stores: lines of others than these are passed over.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct StoreColumn {
    pub column: String,
    pub is: Vec<String>,
}

/// Columns of a transaction.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransactionColumns {
    /// Column of the id, or several; without one each line's id is the hash of what it says.
    #[serde(default)]
    pub id: ColumnNames,
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
    pub store: Option<StoreColumn>,
    #[serde(default)]
    pub words: Words,
    /// Column of the fee in major units; more than 0 is a cost.
    pub fee: Option<String>,
}

/// A column with a time.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TimeColumn {
    pub column: String,
    /// Where the time of day stands, when it is not in the same cell; the two are joined with a space between.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_column: Option<String>,
    /// Tried in order, in the notation of `strftime`; one with `%z` brings its own offset.
    pub formats: Vec<String>,
}

/// A column that names a customer.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CustomerColumn {
    pub column: String,
    /// Cut off where it stands: `.0` of ids that went through a spreadsheet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub without_suffix: Option<String>,
}

/// A column of statuses in the shop's own words.
#[derive(Clone, Debug, Deserialize, Serialize)]
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// `12.50`
    #[default]
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
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    pub column: String,
    /// Only digits, at least one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digits: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub equals: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contains: Option<String>,
    /// One of these words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub one_of: Option<Vec<String>>,
    /// None of these words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub none_of: Option<Vec<String>>,
    /// An amount below zero.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub negative: Option<bool>,
    /// Holds for every cell.
    #[serde(skip_serializing_if = "Option::is_none")]
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

pub(super) const fn comma() -> char {
    ','
}

pub(super) fn default_account() -> String {
    "default".to_owned()
}

pub(super) fn zone<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Tz, D::Error> {
    let name = String::deserialize(deserializer)?;
    name.parse().map_err(|_| serde::de::Error::custom(format!("unknown time zone `{name}`")))
}

impl TransactionMapping {
    pub(super) fn check(&self) -> Result<(), String> {
        if self.kind.is_empty() {
            return Err("it has no [[kind]] rule, so no line can become a transaction".into());
        }
        for rule in &self.kind {
            if rule.kind.is_some() == rule.reject.is_some() {
                return Err("each [[kind]] needs either `kind` or `reject`".into());
            }
            rule.when.check()?;
        }
        self.skip.iter().try_for_each(Condition::check)?;
        if matches!(self.amount, Amount::Items) && self.items.is_none() {
            return Err("`amount.from = \"items\"` needs an [items] table".into());
        }
        if self.transaction.attributes.len() > ATTRIBUTES_MAX {
            return Err(format!("it has more than {ATTRIBUTES_MAX} attributes"));
        }
        if self.transaction.id.names().is_empty() && self.transaction.lines == Lines::Grouped {
            return Err("lines that are `grouped` need an `id` to be grouped by".into());
        }
        self.transaction.created_at.check("created_at")?;
        check_words(&self.transaction.words)?;
        check_table(self.encoding.as_deref(), self.delimiter)?;
        check_slugs(&[&self.provider, &self.method])
    }

    /// Every column that the mapping names.
    pub fn columns(&self) -> Vec<&str> {
        let of = &self.transaction;
        let mut names: Vec<&str> = of.id.names().iter().map(String::as_str).collect();
        names.push(&of.created_at.column);
        names.extend(of.created_at.time_column.as_deref());
        names.extend(of.customer.iter().map(|customer| customer.column.as_str()));
        names.extend(of.attributes.values().chain(of.fields.values()).map(String::as_str));
        names.extend(of.status.iter().map(|status| status.column.as_str()));
        names.extend(of.store.iter().map(|store| store.column.as_str()));
        names.extend(of.fee.as_deref());
        if let Amount::Column { column, .. } = &self.amount {
            names.push(column);
        }
        if let Some(items) = &self.items {
            names.extend([items.sku.as_deref(), items.name.as_deref()].into_iter().flatten());
            names.extend([items.quantity.as_str(), &items.unit_amount]);
        }
        names.extend(self.kind.iter().map(|rule| rule.when.column.as_str()));
        names.extend(self.skip.iter().map(|condition| condition.column.as_str()));
        names
    }
}

impl TimeColumn {
    pub(super) fn check(&self, name: &str) -> Result<(), String> {
        if self.formats.is_empty() {
            return Err(format!("`{name}.formats` is empty"));
        }
        for format in &self.formats {
            if chrono::format::StrftimeItems::new(format).any(|item| item == chrono::format::Item::Error) {
                return Err(format!("`{format}` is no date format"));
            }
        }
        Ok(())
    }
}

pub(super) fn check_words(words: &Words) -> Result<(), String> {
    let mut slugs = words.values().flat_map(BTreeMap::values);
    match slugs.find(|slug| slug_of(slug).is_none()) {
        Some(bad) => Err(format!("`{bad}` is no lower-case slug")),
        None => Ok(()),
    }
}

pub(super) fn check_slugs(slugs: &[&Option<String>]) -> Result<(), String> {
    match slugs.iter().copied().flatten().find(|slug| slug_of(slug).is_none()) {
        Some(bad) => Err(format!("`{bad}` is no lower-case slug")),
        None => Ok(()),
    }
}

pub(super) fn check_table(encoding: Option<&str>, delimiter: char) -> Result<(), String> {
    if let Some(name) = encoding.filter(|name| encoding_of(name).is_none()) {
        return Err(format!("unknown encoding `{name}`"));
    }
    if !delimiter.is_ascii() || delimiter.is_ascii_alphanumeric() || delimiter == '"' {
        return Err(format!("`{delimiter}` cannot divide cells"));
    }
    Ok(())
}

/// A provider's or method's word; `None` when it is no lower-case slug.
pub fn slug_of(text: &str) -> Option<Word> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-');
    (!text.is_empty() && text.len() <= SLUG_CHARS_MAX && text.bytes().all(plain)).then(|| Word::of(text))
}

impl Condition {
    pub(super) fn check(&self) -> Result<(), String> {
        let parts = [
            self.digits.is_some(),
            self.prefix.is_some(),
            self.equals.is_some(),
            self.contains.is_some(),
            self.one_of.is_some(),
            self.none_of.is_some(),
            self.negative.is_some(),
            self.any.is_some(),
        ];
        if !parts.contains(&true) {
            return Err(
                "a `when` needs one of `digits`, `prefix`, `equals`, `contains`, `one_of`, `none_of`, `negative`, `any`"
                    .into(),
            );
        }
        Ok(())
    }

    /// True when the cell fits.
    pub fn holds(&self, cell: &str) -> bool {
        let is_number = !cell.is_empty() && cell.bytes().all(|byte| byte.is_ascii_digit());
        let is_negative = || {
            amount("", cell).ok().flatten().is_some_and(|value| value.is_sign_negative() && !value.is_zero())
        };
        self.digits.is_none_or(|wanted| wanted == is_number)
            && self.prefix.as_ref().is_none_or(|prefix| cell.starts_with(prefix.as_str()))
            && self.equals.as_ref().is_none_or(|whole| cell == whole)
            && self.contains.as_ref().is_none_or(|part| cell.contains(part.as_str()))
            && self.one_of.as_ref().is_none_or(|words| words.iter().any(|word| word == cell))
            && self.none_of.as_ref().is_none_or(|words| words.iter().all(|word| word != cell))
            && self.negative.is_none_or(|wanted| wanted == is_negative())
            && self.any.is_none_or(|any| any)
    }
}
