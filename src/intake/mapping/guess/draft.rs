//! From what a person chose to a mapping.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, NaiveDateTime};
use chrono_tz::Tz;

use super::super::super::bills::Refusal;
use super::super::config::{ColumnNames, SlugField, StoreColumn, Words};
use super::super::{
    AmountField, Condition, CustomerColumn, FeeMeans, LineColumns, LineField, LineMapping, LineRule, Makes,
    Movement, SignMeans, StatusColumn, TimeColumn, Unit,
};
use super::ColumnRole;
use crate::domain::{Currency, Status};

/// Ways to write a time that are offered, the usual first.
pub const TIME_FORMATS: [&str; 20] = [
    "%Y-%m-%d %H:%M:%S",
    "%Y/%m/%d %H:%M:%S",
    "%Y-%m-%d %H:%M",
    "%Y/%m/%d %H:%M",
    "%Y%m%d %H:%M:%S",
    "%Y%m%d%H%M%S",
    "%Y.%m.%d %H:%M:%S",
    "%Y年%m月%d日 %H:%M:%S",
    "%Y-%m-%dT%H:%M:%S%:z",
    "%Y-%m-%dT%H:%M:%S",
    "%d.%m.%Y %H:%M:%S",
    "%d/%m/%Y %H:%M:%S",
    "%m/%d/%Y %H:%M:%S",
    "%Y-%m-%d",
    "%Y/%m/%d",
    "%Y%m%d",
    "%Y年%m月%d日",
    "%d.%m.%Y",
    "%d/%m/%Y",
    "%m/%d/%Y",
];
/// What tills call their methods.
const METHODS: [(&str, &str); 16] = [
    ("微信", "wechat_pay"),
    ("微信支付", "wechat_pay"),
    ("支付宝", "alipay"),
    ("支付宝支付", "alipay"),
    ("云闪付", "unionpay"),
    ("银联", "unionpay"),
    ("银联二维码", "unionpay"),
    ("数字人民币", "e_cny"),
    ("现金", "cash"),
    ("银行卡", "card"),
    ("刷卡", "card"),
    ("会员卡", "stored_value"),
    ("储值", "stored_value"),
    ("储值卡", "stored_value"),
    ("翼支付", "bestpay"),
    ("转账", "bank_transfer"),
];
/// What a method is called that is none of these.
const OTHER_METHOD: &str = "other";
const SUCCEEDED: [&str; 16] = [
    "成功",
    "交易成功",
    "支付成功",
    "已支付",
    "已完成",
    "完成",
    "已到账",
    "已收款",
    "收款成功",
    "退款成功",
    "已退款",
    "SUCCESS",
    "Success",
    "success",
    "succeeded",
    "paid",
];
const PENDING: [&str; 6] = ["处理中", "退款中", "支付中", "待到账", "PENDING", "pending"];
const FAILED: [&str; 7] = ["失败", "交易失败", "支付失败", "退款失败", "FAILED", "failed", "FAIL"];
/// Orders that were never paid move nothing.
const CLOSED: [&str; 8] =
    ["已关闭", "交易关闭", "已取消", "未支付", "待支付", "CLOSED", "closed", "cancelled"];
const CAME: [&str; 10] = ["收入", "收", "贷", "入账", "转入", "来账", "C", "CR", "in", "credit"];
const WENT: [&str; 10] = ["支出", "支", "借", "出账", "转出", "往账", "D", "DR", "out", "debit"];
const REFUNDS: [&str; 8] = ["退款", "退货", "撤销", "部分退款", "消费撤销", "refund", "Refund", "REFUND"];

/// What the file is of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Source {
    /// A till or aggregator: payments and refunds.
    #[default]
    Payments,
    /// A bank: movements on an account, never counted as sales.
    Bank,
}

impl Source {
    /// Every source.
    pub const ALL: [Self; 2] = [Self::Payments, Self::Bank];

    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Payments => "payments",
            Self::Bank => "bank",
        }
    }

    /// The source of a word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.as_str() == text)
    }
}

/// What a person chose on the page.
#[derive(Clone, Debug)]
pub struct Draft {
    pub name: String,
    pub source: Source,
    /// A lower-case slug.
    pub provider: String,
    pub account: String,
    pub zone: Tz,
    pub currency: Currency,
    pub time_format: String,
    pub delimiter: char,
    /// Names of the columns, and what each is.
    pub columns: Vec<(String, ColumnRole)>,
    /// Words in the column of kinds that mean money given back.
    pub refund_words: Vec<String>,
    /// Names of this store in the column of stores.
    pub store_words: Vec<String>,
}

/// The first of the offered formats that a cell is written in.
pub fn format_of(cell: &str) -> Option<&'static str> {
    TIME_FORMATS.into_iter().find(|format| is_written(cell, format))
}

/// True for a cell in this format.
pub fn is_written(cell: &str, format: &str) -> bool {
    // Workbooks print midnight behind every day.
    let day = cell.strip_suffix(" 00:00:00").unwrap_or(cell);
    NaiveDateTime::parse_from_str(cell, format).is_ok()
        || NaiveDate::parse_from_str(day, format).is_ok()
        || DateTime::parse_from_str(cell, format).is_ok()
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

impl Draft {
    fn column(&self, role: ColumnRole) -> Option<String> {
        self.columns.iter().find(|(_, own)| *own == role).map(|(name, _)| name.clone())
    }

    /// The mapping.
    ///
    /// # Errors
    /// [`Refusal::Mapping`] in words for the person who chose.
    pub fn mapping(&self) -> Result<LineMapping, Refusal> {
        let wrong = |what: &str| Refusal::Mapping(what.to_owned());
        let column =
            self.column(ColumnRole::Date).ok_or_else(|| wrong("no column is the date / 没有指定日期列"))?;
        let posted_at = TimeColumn {
            column,
            time_column: self.column(ColumnRole::Time),
            formats: vec![self.time_format.clone()],
        };
        let amount = self.amount().ok_or_else(|| wrong("no column is the amount / 没有指定金额列"))?;
        let provider = Some(self.provider.clone()).filter(|slug| !slug.is_empty());
        let mapping = LineMapping {
            name: self.name.clone(),
            makes: Makes::LedgerLines,
            encoding: None,
            delimiter: self.delimiter,
            zone: self.zone,
            currency: self.currency,
            account: self.account.clone(),
            provider,
            method: (self.source == Source::Bank).then(|| "bank_transfer".to_owned()),
            footer: owned(&["合计", "总计", "小计", "本页合计", "汇总", "Total", "TOTAL"]),
            kind: self.kinds(&amount),
            amount,
            line: self.line(posted_at),
            skip: self.column(ColumnRole::Status).map(closed).into_iter().collect(),
        };
        mapping.check().map_err(Refusal::Mapping)?;
        Ok(mapping)
    }

    fn line(&self, posted_at: TimeColumn) -> LineColumns {
        let ids = self.columns.iter().filter(|(_, role)| *role == ColumnRole::Id);
        let ids: Vec<String> = ids.map(|(name, _)| name.clone()).collect();
        let fields = [
            (LineField::OrderId, ColumnRole::Order),
            (LineField::ProviderTransactionId, ColumnRole::Transaction),
            (LineField::Method, ColumnRole::Method),
            (LineField::Operator, ColumnRole::Operator),
            (LineField::Terminal, ColumnRole::Terminal),
            (LineField::Category, ColumnRole::Category),
            (LineField::Description, ColumnRole::Description),
        ];
        let amounts = [(AmountField::Fee, ColumnRole::Fee), (AmountField::Net, ColumnRole::Net)];
        let mut words = Words::new();
        if self.column(ColumnRole::Method).is_some() {
            let known = METHODS.iter().map(|(word, slug)| ((*word).to_owned(), (*slug).to_owned()));
            words.insert(
                SlugField::Method,
                known.chain([("*".to_owned(), OTHER_METHOD.to_owned())]).collect(),
            );
        }
        let store = self.column(ColumnRole::Store).filter(|_| !self.store_words.is_empty());
        LineColumns {
            id: (!ids.is_empty()).then_some(ColumnNames::Several(ids)),
            posted_at,
            account: self.column(ColumnRole::Account),
            currency: self.column(ColumnRole::Currency),
            customer: self
                .column(ColumnRole::Customer)
                .map(|column| CustomerColumn { column, without_suffix: None }),
            status: self.column(ColumnRole::Status).map(statuses),
            store: store.map(|column| StoreColumn { column, is: self.store_words.clone() }),
            fee_means: FeeMeans::Cost,
            fields: fields
                .into_iter()
                .filter_map(|(field, role)| Some((field, self.column(role)?)))
                .collect(),
            amounts: amounts
                .into_iter()
                .filter_map(|(field, role)| Some((field, self.column(role)?)))
                .collect(),
            attributes: BTreeMap::new(),
            words,
        }
    }

    fn amount(&self) -> Option<Movement> {
        let unit = Unit::Major;
        if let (Some(r#in), Some(out)) = (self.column(ColumnRole::In), self.column(ColumnRole::Out)) {
            return Some(Movement::TwoColumns { r#in, out, unit });
        }
        let column = self.column(ColumnRole::Amount).or_else(|| self.column(ColumnRole::In))?;
        if let Some(direction) = self.column(ColumnRole::Direction) {
            return Some(Movement::Directed {
                column,
                unit,
                direction,
                r#in: owned(&CAME),
                out: owned(&WENT),
            });
        }
        let by_kind = self.source == Source::Payments && self.column(ColumnRole::Kind).is_some();
        Some(Movement::Column {
            column,
            unit,
            sign: if by_kind { SignMeans::ByKind } else { SignMeans::NegativeIsOut },
        })
    }

    /// Payments and refunds, told apart by what the file has for it; a bank's lines are transfers.
    fn kinds(&self, amount: &Movement) -> Vec<LineRule> {
        let rule = |when: Option<Condition>, kind: &str| LineRule {
            when,
            kind: Some(kind.to_owned()),
            reject: None,
        };
        if self.source == Source::Bank {
            let text = self.column(ColumnRole::Description).or_else(|| self.column(ColumnRole::Kind));
            let fees = text.map(|column| Condition {
                column,
                contains: Some("手续费".into()),
                ..Condition::default()
            });
            let fees = fees.map(|when| rule(Some(when), "fee"));
            return fees.into_iter().chain([rule(None, "transfer")]).collect();
        }
        let refunds = match (self.column(ColumnRole::Kind), amount) {
            (Some(column), _) => {
                let words =
                    if self.refund_words.is_empty() { owned(&REFUNDS) } else { self.refund_words.clone() };
                Condition { column, one_of: Some(words), ..Condition::default() }
            }
            (None, Movement::Directed { direction, out, .. }) => {
                Condition { column: direction.clone(), one_of: Some(out.clone()), ..Condition::default() }
            }
            (None, Movement::TwoColumns { r#in, .. }) => {
                let nothing = owned(&["", "0", "0.0", "0.00", "-"]);
                Condition { column: r#in.clone(), one_of: Some(nothing), ..Condition::default() }
            }
            (None, Movement::Column { column, .. }) => {
                Condition { column: column.clone(), negative: Some(true), ..Condition::default() }
            }
        };
        vec![rule(Some(refunds), "refund"), rule(None, "payment")]
    }
}

fn closed(column: String) -> Condition {
    Condition { column, one_of: Some(owned(&CLOSED)), ..Condition::default() }
}

fn statuses(column: String) -> StatusColumn {
    let all =
        [(&SUCCEEDED[..], Status::Succeeded), (&PENDING[..], Status::Pending), (&FAILED[..], Status::Failed)];
    let words = all
        .into_iter()
        .flat_map(|(words, status)| words.iter().map(move |word| ((*word).to_owned(), status)));
    StatusColumn { column, values: words.collect() }
}
