//! A mapping made from a sample: what each column probably is, by the words of its header and the shape of its cells, and
//! the mapping that follows once a person has said yes.

mod draft;
#[cfg(test)]
mod tests;

use super::super::bills::{Refusal, RejectedLine, Spool, SpoolError};
use super::{Header, LineMapping, MappingContext, lines};
use crate::domain::LedgerLine;
pub use draft::{Draft, Source, TIME_FORMATS};

/// Records of a sample that are looked at.
const SAMPLE_RECORDS_MAX: usize = 60;
/// Columns that are shown to choose from.
pub const COLUMNS_MAX: usize = 60;
/// Characters of a cell that are shown.
const CELL_CHARS_MAX: usize = 60;
/// Filled cells of a record from which on it may be a header.
const HEADER_CELLS_MIN: usize = 3;

/// What a column is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ColumnRole {
    Ignored,
    Id,
    Date,
    Time,
    Amount,
    In,
    Out,
    Direction,
    Kind,
    Status,
    Fee,
    Net,
    Order,
    Transaction,
    Account,
    Currency,
    Customer,
    Description,
    Operator,
    Terminal,
    Method,
    Category,
    Store,
}

/// Words of headers, the most telling first; a header that holds a word is of its role.
const HEADER_WORDS: [(ColumnRole, &[&str]); 22] = [
    (
        ColumnRole::Out,
        &["借方", "支出金额", "转出金额", "付款金额", "支出", "debit", "withdrawal", "paid out", "money out"],
    ),
    (
        ColumnRole::In,
        &["贷方", "收入金额", "转入金额", "存入", "收入", "credit", "deposit", "paid in", "money in"],
    ),
    (ColumnRole::Direction, &["收/支", "收支", "借贷", "方向", "direction", "dr/cr"]),
    (ColumnRole::Fee, &["手续费", "服务费", "佣金", "fee", "commission"]),
    (ColumnRole::Net, &["结算金额", "到账金额", "净额", "实际到账", "net"]),
    (ColumnRole::Order, &["商户订单", "商家订单", "订单号", "订单编号", "单号", "order", "invoice"]),
    (
        ColumnRole::Id,
        &[
            "流水号",
            "交易号",
            "序列号",
            "凭证号",
            "日志号",
            "transaction id",
            "reference",
            "txn",
            "哈希",
            "hash",
        ],
    ),
    (ColumnRole::Status, &["状态", "结果", "status", "state"]),
    (ColumnRole::Method, &["支付方式", "付款方式", "支付渠道", "收款方式", "支付类型", "method", "tender"]),
    (ColumnRole::Kind, &["交易类型", "业务类型", "类型", "type", "kind"]),
    (ColumnRole::Currency, &["币种", "货币", "currency", "ccy"]),
    (ColumnRole::Store, &["门店", "店铺", "店名", "store", "shop", "branch"]),
    (ColumnRole::Operator, &["收银员", "操作员", "店员", "operator", "cashier", "staff"]),
    (ColumnRole::Terminal, &["终端", "设备", "terminal", "device", "pos"]),
    (ColumnRole::Category, &["品类", "类目", "category"]),
    (ColumnRole::Account, &["商户号", "本方账号", "商户编号", "merchant id", "account"]),
    (
        ColumnRole::Customer,
        &[
            "对方户名",
            "对方账号",
            "对方名称",
            "对方",
            "付款人",
            "会员",
            "顾客",
            "customer",
            "payer",
            "counterparty",
        ],
    ),
    (
        ColumnRole::Description,
        &[
            "摘要",
            "备注",
            "用途",
            "附言",
            "商品",
            "说明",
            "description",
            "memo",
            "narrative",
            "remark",
            "details",
        ],
    ),
    (
        ColumnRole::Date,
        &[
            "交易时间",
            "交易日期",
            "支付时间",
            "完成时间",
            "入账时间",
            "记账日期",
            "日期",
            "date",
            "created",
            "posted",
        ],
    ),
    (ColumnRole::Time, &["时间", "time"]),
    (ColumnRole::Transaction, &["支付单号", "渠道单号", "支付流水", "payment id"]),
    (
        ColumnRole::Amount,
        &["实收金额", "交易金额", "订单金额", "收款金额", "发生额", "金额", "amount", "total", "数量"],
    ),
];
/// Words that make a column of amounts none that is taken.
const NOT_AMOUNTS: [&str; 4] = ["余额", "balance", "优惠", "discount"];

impl ColumnRole {
    /// Every role, in the order in which they are offered.
    pub const ALL: [Self; 23] = [
        Self::Ignored,
        Self::Date,
        Self::Time,
        Self::Amount,
        Self::In,
        Self::Out,
        Self::Direction,
        Self::Id,
        Self::Order,
        Self::Transaction,
        Self::Kind,
        Self::Status,
        Self::Fee,
        Self::Net,
        Self::Currency,
        Self::Account,
        Self::Method,
        Self::Customer,
        Self::Description,
        Self::Operator,
        Self::Terminal,
        Self::Category,
        Self::Store,
    ];

    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ignored => "ignored",
            Self::Id => "id",
            Self::Date => "date",
            Self::Time => "time",
            Self::Amount => "amount",
            Self::In => "in",
            Self::Out => "out",
            Self::Direction => "direction",
            Self::Kind => "kind",
            Self::Status => "status",
            Self::Fee => "fee",
            Self::Net => "net",
            Self::Order => "order",
            Self::Transaction => "transaction",
            Self::Account => "account",
            Self::Currency => "currency",
            Self::Customer => "customer",
            Self::Description => "description",
            Self::Operator => "operator",
            Self::Terminal => "terminal",
            Self::Method => "method",
            Self::Category => "category",
            Self::Store => "store",
        }
    }

    /// The role of a word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }

    /// True where several columns may have the role.
    const fn may_repeat(self) -> bool {
        matches!(self, Self::Ignored | Self::Id)
    }
}

/// The first lines of a file that no format knows.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Cells below them.
    pub rows: Vec<Vec<String>>,
    /// What stands between cells.
    pub delimiter: char,
    /// Records above the header.
    pub preamble: usize,
}

impl Sample {
    /// Looks at the first lines of a text.
    ///
    /// # Errors
    /// [`Refusal::Unknown`] when there is no table in them.
    pub fn of(spool: &Spool) -> Result<Self, SpoolError> {
        let head = spool.head(SAMPLE_RECORDS_MAX)?;
        Ok(Self::of_lines(&head).ok_or(Refusal::Unknown)?)
    }

    fn of_lines(head: &[String]) -> Option<Self> {
        let tables = [',', '\t', ';', '|'].map(|delimiter| (delimiter, records(head, delimiter)));
        // The delimiter that makes the widest table.
        let width = |records: &[Vec<String>]| header_of(records).map_or(0, |place| filled(&records[place]));
        let (delimiter, records) = tables.into_iter().rev().max_by_key(|(_, records)| width(records))?;
        let preamble = header_of(&records)?;
        let header = csv::StringRecord::from(records.get(preamble)?.clone());
        let columns: Vec<String> = Header::of(&header).names.into_iter().take(COLUMNS_MAX).collect();
        let rows = records.into_iter().skip(preamble + 1).map(|cells| {
            let shown = cells.into_iter().map(|cell| cell.trim().chars().take(CELL_CHARS_MAX).collect());
            shown.take(columns.len()).collect()
        });
        let rows = rows.collect();
        Some(Self { columns, rows, delimiter, preamble })
    }

    /// What each column probably is.
    pub fn guess(&self) -> Vec<ColumnRole> {
        let mut roles: Vec<ColumnRole> =
            (0..self.columns.len()).map(|place| self.guess_column(place)).collect();
        for place in 0..roles.len() {
            let role = roles[place];
            if !role.may_repeat() && roles[..place].contains(&role) {
                roles[place] = ColumnRole::Ignored;
            }
        }
        let has = |roles: &[ColumnRole], role| roles.contains(&role);
        // A time alone is the moment; beside a day it is the time of it.
        if !has(&roles, ColumnRole::Date)
            && let Some(place) = roles.iter().position(|role| *role == ColumnRole::Time)
        {
            roles[place] = ColumnRole::Date;
        }
        // One sum for both ways makes a third unnecessary.
        if has(&roles, ColumnRole::In)
            && has(&roles, ColumnRole::Out)
            && let Some(place) = roles.iter().position(|role| *role == ColumnRole::Amount)
        {
            roles[place] = ColumnRole::Ignored;
        }
        roles
    }

    /// The first of the offered formats in which every time of the sample is written.
    pub fn guess_format(&self, roles: &[ColumnRole]) -> Option<&'static str> {
        let place = |role| roles.iter().position(|own| *own == role);
        let (day, time) = (place(ColumnRole::Date)?, place(ColumnRole::Time));
        let at = |row: &Vec<String>, place: usize| row.get(place).cloned().unwrap_or_default();
        let told = |row: &Vec<String>| {
            let time = time.map(|time| at(row, time));
            super::times::joined(&at(row, day), time.as_deref())
        };
        let times: Vec<String> =
            self.rows.iter().map(told).filter(|text| draft::format_of(text).is_some()).collect();
        let fits = |format: &&str| times.iter().all(|text| draft::is_written(text, format));
        TIME_FORMATS.into_iter().find(fits).filter(|_| !times.is_empty())
    }

    fn guess_column(&self, place: usize) -> ColumnRole {
        let name = self.columns[place].to_lowercase();
        if name.is_empty() || NOT_AMOUNTS.iter().any(|word| name.contains(word)) {
            return ColumnRole::Ignored;
        }
        let cells = || self.rows.iter().filter_map(|row| row.get(place)).filter(|cell| !cell.is_empty());
        // A cell in three may be wrong: that is what the preview is there to show.
        let most = |fits: &dyn Fn(&str) -> bool| {
            cells().filter(|cell| fits(cell)).count() * 3 >= cells().count() * 2
        };
        let is_amount = |cell: &str| super::amounts::amount("", cell).is_ok();
        let is_time = |cell: &str| draft::format_of(cell).is_some();
        let is_clock = |cell: &str| chrono::NaiveTime::parse_from_str(cell, "%H:%M:%S").is_ok();
        let fits = |role: ColumnRole| match role {
            ColumnRole::Amount | ColumnRole::In | ColumnRole::Out | ColumnRole::Fee | ColumnRole::Net => {
                most(&is_amount)
            }
            ColumnRole::Date => most(&is_time),
            ColumnRole::Time => most(&|cell| is_clock(cell) || is_time(cell)),
            ColumnRole::Direction | ColumnRole::Kind | ColumnRole::Status | ColumnRole::Method => {
                !most(&is_amount)
            }
            _ => true,
        };
        let words = HEADER_WORDS
            .iter()
            .filter(|(role, words)| words.iter().any(|word| name.contains(word)) && fits(*role));
        words.map(|(role, _)| *role).next().unwrap_or(ColumnRole::Ignored)
    }
}

fn records(head: &[String], delimiter: char) -> Vec<Vec<String>> {
    let text = head.join("\n");
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(u8::try_from(delimiter).unwrap_or(b','))
        .from_reader(text.as_bytes());
    let records = reader.records().map_while(Result::ok);
    records.map(|record| record.iter().map(str::to_owned).collect()).collect()
}

fn filled(cells: &[String]) -> usize {
    cells.iter().filter(|cell| !cell.trim().is_empty()).count()
}

/// The first of the widest records that hold words and no amounts.
fn header_of(records: &[Vec<String>]) -> Option<usize> {
    let is_wordy = |cells: &[String]| {
        let texts = cells.iter().map(|cell| cell.trim()).filter(|cell| !cell.is_empty());
        texts
            .clone()
            .all(|cell| super::amounts::amount("", cell).is_err() && draft::format_of(cell).is_none())
    };
    let candidates =
        records.iter().enumerate().filter(|(_, cells)| filled(cells) >= HEADER_CELLS_MIN && is_wordy(cells));
    let widest = candidates.clone().map(|(_, cells)| filled(cells)).max()?;
    candidates.clone().find(|(_, cells)| filled(cells) == widest).map(|(place, _)| place)
}

/// How the first lines of a file will be read.
pub struct Preview {
    pub rows: Vec<Result<LedgerLine, RejectedLine>>,
}

/// Reads the first lines of a file by a mapping.
///
/// # Errors
/// [`SpoolError`] where the mapping does not fit the file.
pub fn preview(
    spool: &Spool,
    mapping: &LineMapping,
    context: &MappingContext<'_>,
    rows_max: usize,
) -> Result<Preview, SpoolError> {
    mapping.check().map_err(Refusal::Mapping)?;
    let mut rows = Vec::new();
    let read = lines::pass(spool, mapping, context, &mut |mapped, _| {
        if rows.len() >= rows_max {
            // Enough was seen; what is said here goes nowhere.
            return Err(Refusal::CutOff);
        }
        match mapped {
            super::Mapped::Line(row) => rows.push(Ok(*row)),
            super::Mapped::Rejected(line) => rows.push(Err(line)),
            super::Mapped::Transaction(_) => {}
        }
        Ok(())
    });
    match read {
        Err(SpoolError::Refused(Refusal::CutOff)) if rows.len() >= rows_max => Ok(Preview { rows }),
        Err(error) => Err(error),
        Ok(_) => Ok(Preview { rows }),
    }
}
