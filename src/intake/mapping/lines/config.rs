use std::collections::BTreeMap;

use chrono_tz::Tz;
use serde::{Deserialize, Serialize, Serializer};

use super::super::super::api::ATTRIBUTES_MAX;
use super::super::config::{
    ColumnNames, Condition, CustomerColumn, Makes, StatusColumn, StoreColumn, TimeColumn, Unit, Words,
    check_slugs, check_table, check_words, comma, default_account, zone,
};
use crate::domain::{Currency, LedgerKind};

/// How the lines of any table become ledger lines. Strict: a key that is not known is an error.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LineMapping {
    /// What the file is, for people.
    pub name: String,
    pub makes: Makes,
    /// `utf-8`, `gbk` …; must then be met. Without it UTF-8 is tried, then GB18030.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding: Option<String>,
    #[serde(default = "comma")]
    pub delimiter: char,
    /// The zone of times without an offset.
    #[serde(deserialize_with = "zone", serialize_with = "zone_name")]
    pub zone: Tz,
    /// Of lines that name none.
    pub currency: Currency,
    /// Merchant account of lines that name none.
    #[serde(default = "default_account")]
    pub account: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// First words of lines that only sum up others.
    #[serde(default = "footer_words")]
    pub footer: Vec<String>,
    pub amount: Movement,
    pub line: LineColumns,
    /// Lines that are passed over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skip: Vec<Condition>,
    /// Rules in order; the first that holds decides. A line that none fits is rejected.
    pub kind: Vec<LineRule>,
}

/// Columns of a ledger line.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LineColumns {
    /// Column of the id, or several that make it together; without one the id is the hash of what the line says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<ColumnNames>,
    pub posted_at: TimeColumn,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerColumn>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<StatusColumn>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store: Option<StoreColumn>,
    /// What a number in the column of the fee means.
    #[serde(default)]
    pub fee_means: FeeMeans,
    /// Field → column.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<LineField, String>,
    /// Further amounts → column, in major units.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub amounts: BTreeMap<AmountField, String>,
    /// Attribute → column.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub words: Words,
}

/// Text fields of a ledger line that a column can fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LineField {
    OrderId,
    ProviderTransactionId,
    ParentTransactionId,
    PayoutId,
    Provider,
    Method,
    Operator,
    Terminal,
    Category,
    Description,
    FeeRate,
}

/// Amounts of a ledger line beside what moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AmountField {
    Fee,
    Net,
    ListAmount,
    DiscountMerchant,
    DiscountPlatform,
}

/// What a positive fee is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FeeMeans {
    /// More than 0 is what the shop pays.
    #[default]
    Cost,
    /// The sign is that of the balance: less than 0 is what the shop pays.
    Balance,
}

/// Where what moved comes from, and which way.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, tag = "from", rename_all = "snake_case")]
pub enum Movement {
    /// One column; its sign, or the line's kind, says which way.
    Column {
        column: String,
        #[serde(default)]
        unit: Unit,
        #[serde(default)]
        sign: SignMeans,
    },
    /// One column, and the word in another.
    Directed {
        column: String,
        #[serde(default)]
        unit: Unit,
        direction: String,
        r#in: Vec<String>,
        out: Vec<String>,
    },
    /// A column for what came in and one for what went out.
    TwoColumns {
        r#in: String,
        out: String,
        #[serde(default)]
        unit: Unit,
    },
}

/// What the sign of an amount says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SignMeans {
    /// Less than 0 went out.
    #[default]
    NegativeIsOut,
    /// More than 0 went out.
    PositiveIsOut,
    /// Nothing: payments come in, all else goes out.
    ByKind,
}

/// What a line with this condition is.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LineRule {
    /// Absent where it holds for every line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when: Option<Condition>,
    /// A kind of ledger line, or nothing where such lines are rejected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Why such lines are rejected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reject: Option<String>,
}

/// What banks and tills print in front of sums.
fn footer_words() -> Vec<String> {
    ["合计", "总计", "小计", "本页合计", "总笔数", "总金额", "汇总", "Total", "TOTAL"]
        .map(str::to_owned)
        .to_vec()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde asks for")]
fn zone_name<S: Serializer>(zone: &Tz, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(zone.name())
}

impl LineRule {
    /// The kind of a line that this rule holds for.
    pub fn kind(&self) -> Option<LedgerKind> {
        LedgerKind::parse(self.kind.as_deref()?)
    }
}

impl LineMapping {
    pub(in super::super) fn check(&self) -> Result<(), String> {
        if self.kind.is_empty() {
            return Err("it has no [[kind]] rule, so no line can become a ledger line".into());
        }
        for rule in &self.kind {
            if rule.kind.is_some() == rule.reject.is_some() {
                return Err("each [[kind]] needs either `kind` or `reject`".into());
            }
            if let Some(word) = rule.kind.as_ref().filter(|_| rule.kind().is_none()) {
                return Err(format!("`{word}` is no kind of ledger line"));
            }
            if let Some(when) = &rule.when {
                when.check()?;
            }
        }
        self.skip.iter().try_for_each(Condition::check)?;
        if self.line.attributes.len() > ATTRIBUTES_MAX {
            return Err(format!("it has more than {ATTRIBUTES_MAX} attributes"));
        }
        self.line.posted_at.check("posted_at")?;
        check_words(&self.line.words)?;
        check_table(self.encoding.as_deref(), self.delimiter)?;
        check_slugs(&[&self.provider, &self.method])
    }

    /// Every column that the mapping names.
    pub(in super::super) fn columns(&self) -> Vec<&str> {
        let of = &self.line;
        let mut names: Vec<&str> = of.id.iter().flat_map(ColumnNames::names).map(String::as_str).collect();
        names.push(&of.posted_at.column);
        let single = [&of.posted_at.time_column, &of.account, &of.currency];
        names.extend(single.into_iter().flatten().map(String::as_str));
        names.extend(of.customer.iter().map(|customer| customer.column.as_str()));
        names.extend(of.status.iter().map(|status| status.column.as_str()));
        names.extend(of.store.iter().map(|store| store.column.as_str()));
        names.extend(
            of.fields.values().chain(of.amounts.values()).chain(of.attributes.values()).map(String::as_str),
        );
        match &self.amount {
            Movement::Column { column, .. } => names.push(column),
            Movement::Directed { column, direction, .. } => names.extend([column.as_str(), direction]),
            Movement::TwoColumns { r#in, out, .. } => names.extend([r#in.as_str(), out]),
        }
        names.extend(self.kind.iter().filter_map(|rule| rule.when.as_ref()).map(|when| when.column.as_str()));
        names.extend(self.skip.iter().map(|condition| condition.column.as_str()));
        names
    }
}
