//! Alipay's account bill (账务明细): every movement of the merchant's balance, in the envelope of the trade bill.
//!
//! What restates payments, refunds and their fees is a witness of the trade bill; withdrawals, transfers, profit sharing
//! and the rest stand here alone and are rows. Newer exports have more columns, in another order.

use rust_decimal::Decimal;

use super::super::holds_card_number;
use super::alipay::seller_of;
use super::columns::{Cells, Columns, normal};
use super::moved::{Moved, signed};
use super::reading::{About, Bill, LineBill};
use super::refusal::Refusal;
use super::rejection::{Fault, RejectCode, RejectedLine};
use super::totals::{ColumnSum, Control, TotalsCheck};
use super::values::{self, beijing_time, decimal, minor};
use super::{BillContext, Line, NotData};
use crate::domain::{Currency, Direction, LedgerKind, LedgerLine, Word};

/// The columns without which a line is not the header of such a bill.
pub const HEADER: [&str; 2] = ["账务流水号", "业务流水号"];
const PROVIDER: &str = "alipay";
/// Digits of a trade's number.
const TRADE_DIGITS: usize = 28;

/// Reader of one account bill.
pub struct AlipayAccount<'a> {
    context: &'a BillContext<'a>,
    account: String,
    header: Option<(Columns, Places)>,
    income: Sums,
    expense: Sums,
    unreadable: bool,
    controls: Vec<Control>,
    /// A footer with a total was met.
    summed: bool,
}

#[derive(Default)]
struct Sums {
    rows: u64,
    amount: ColumnSum,
}

/// Where each column stands.
struct Places {
    flow: usize,
    business: usize,
    trade: Option<usize>,
    order: Option<usize>,
    goods: Option<usize>,
    time: usize,
    partner: [Option<usize>; 3],
    income: usize,
    expense: usize,
    balance: Option<usize>,
    channel: Option<usize>,
    kind: usize,
    remark: Option<usize>,
    described: Option<usize>,
    origin: Option<usize>,
}

impl Places {
    fn of(columns: &Columns) -> Result<Self, Refusal> {
        let find = |name: &str| columns.find(&[name]);
        Ok(Self {
            flow: columns.need(&["账务流水号"])?,
            business: columns.need(&["业务流水号"])?,
            trade: columns.find(&["业务基础订单号", "业务订单号"]),
            order: find("商户订单号"),
            goods: find("商品名称"),
            time: columns.need(&["发生时间", "入账时间"])?,
            partner: [
                columns.find(&["对方账号", "对方账户"]),
                find("对方名称"),
                columns.find(&["对方账户名称", "对方户名"]),
            ],
            income: columns.need(&["收入金额(+元)", "收入(+元)", "收入金额(元)", "收入(元)"])?,
            expense: columns.need(&["支出金额(-元)", "支出(-元)", "支出金额(元)", "支出(元)"])?,
            balance: columns.find(&["账户余额(元)", "余额(元)"]),
            channel: find("交易渠道"),
            kind: columns.need(&["业务类型", "账务类型"])?,
            remark: find("备注"),
            described: find("业务描述"),
            origin: find("业务账单来源"),
        })
    }
}

impl<'a> AlipayAccount<'a> {
    /// A reader that has seen nothing yet.
    pub fn new(context: &'a BillContext<'a>) -> Self {
        Self {
            context,
            account: String::new(),
            header: None,
            income: Sums::default(),
            expense: Sums::default(),
            unreadable: false,
            controls: Vec::new(),
            summed: false,
        }
    }

    fn comment(&mut self, line: &str) -> Result<NotData, Refusal> {
        let text = normal(line);
        if let Some(account) = text.strip_prefix("#账号:") {
            self.account = seller_of(account);
        }
        for (title, name) in [("#收入合计:", "收入"), ("#支出合计:", "支出")] {
            if let Some(totals) = text.strip_prefix(title) {
                let sums = if name == "收入" { &self.income } else { &self.expense };
                self.controls.append(&mut sums.check(name, totals, self.unreadable)?);
                self.summed = true;
                return Ok(NotData::Summary);
            }
        }
        Ok(NotData::Comment)
    }

    fn row(&mut self, number: u64, line: &str) -> Result<Line, Refusal> {
        let Some((columns, places)) = &self.header else {
            return Ok(Line::NotData(NotData::Comment));
        };
        let cells = match Cells::of_line(columns, line) {
            Ok(cells) => cells,
            Err(fault) => {
                self.unreadable = true;
                return Ok(Line::Rejected(RejectedLine::new(number, fault, None)));
            }
        };
        for place in [Some(places.flow), Some(places.business), places.trade, places.order] {
            if values::is_excel_damaged(cells.at(place)) {
                return Err(Refusal::ExcelDamaged(number));
            }
        }
        let account = if self.account.is_empty() { self.context.account() } else { &self.account };
        let row = Row { context: self.context, account, places, cells: &cells };
        match row.amount() {
            Ok((direction, printed)) => {
                let sums = if direction == Direction::In { &mut self.income } else { &mut self.expense };
                sums.rows += 1;
                sums.amount.add(printed);
            }
            Err(_) => self.unreadable = true,
        }
        Ok(match row.line(number) {
            Ok(line) => line,
            Err(fault) => {
                let raw = cells.redacted(&places.partner);
                Line::Rejected(RejectedLine::new(number, fault, Some(raw)))
            }
        })
    }
}

impl Bill for AlipayAccount<'_> {
    fn provider(&self) -> &'static str {
        PROVIDER
    }

    fn about(&self) -> About {
        About {
            variant: "account".to_owned(),
            zone: values::BEIJING.to_owned(),
            unread_columns: self.header.as_ref().map(|(columns, _)| columns.unread()).unwrap_or_default(),
            controls: self.controls.clone(),
        }
    }

    fn finish(&mut self) -> Result<TotalsCheck, Refusal> {
        if !self.summed {
            return Err(Refusal::SummaryMissing);
        }
        Ok(if self.unreadable { TotalsCheck::NotComparable } else { TotalsCheck::Matched })
    }
}

impl LineBill for AlipayAccount<'_> {
    fn read(&mut self, number: u64, text: &str) -> Result<Line, Refusal> {
        let line = text.trim_start_matches(['\u{feff}', ' ', '"']);
        if line.trim_matches(',').trim().is_empty() {
            return Ok(Line::NotData(NotData::Blank));
        }
        if line.starts_with('#') {
            return self.comment(line).map(Line::NotData);
        }
        if self.header.is_none() {
            let columns = Columns::of_header(line);
            if columns.has_all(&HEADER) {
                columns.each_once()?;
                let places = Places::of(&columns)?;
                self.header = Some((columns, places));
                return Ok(Line::NotData(NotData::Header));
            }
        }
        self.row(number, line)
    }
}

impl Sums {
    /// Compares with a line such as `3笔，共1028.77元`, with or without the minus of expenses.
    fn check(&self, name: &str, totals: &str, unreadable: bool) -> Result<Vec<Control>, Refusal> {
        let mut controls = Vec::new();
        for part in totals.split(['，', ',']) {
            let (what, printed, sum) = if let Some(count) = part.strip_suffix('笔') {
                let mut rows = ColumnSum::default();
                rows.add(Decimal::from(self.rows));
                (format!("{name}笔数"), count, rows)
            } else if let Some(amount) = part.strip_prefix('共') {
                (format!("{name}金额"), amount.strip_suffix('元').ok_or(Refusal::CutOff)?, self.amount)
            } else {
                continue;
            };
            let printed = decimal("", printed).map_err(|_| Refusal::CutOff)?.abs();
            if !unreadable {
                controls.push(sum.check(&what, printed)?);
            }
        }
        Ok(controls)
    }
}

/// What a kind of business is for us.
fn meaning_of(business: &str, has_trade: bool, direction: Direction) -> (LedgerKind, bool, &'static str) {
    let has = |part: &str| business.contains(part);
    match business {
        _ if has("提现") => (LedgerKind::Payout, false, ""),
        _ if has("收费") || has("退费") || has("服务费") || has("手续费") => {
            (LedgerKind::Fee, has_trade, "")
        }
        _ if has("分账") || has("分润") => (LedgerKind::Transfer, false, "profit_sharing"),
        _ if has("转账") => (LedgerKind::Transfer, false, ""),
        _ if has("充值") => (LedgerKind::Transfer, false, "top_up"),
        _ if has("退款") && direction == Direction::Out => (LedgerKind::Refund, has_trade, ""),
        _ if has("在线支付") || has("交易付款") || business == "交易" => {
            (LedgerKind::Payment, has_trade, "")
        }
        _ => (LedgerKind::Adjustment, false, ""),
    }
}

/// One data line.
struct Row<'a> {
    context: &'a BillContext<'a>,
    account: &'a str,
    places: &'a Places,
    cells: &'a Cells<'a>,
}

impl Row<'_> {
    fn at(&self, place: Option<usize>) -> &str {
        self.cells.at(place)
    }

    /// Which way and how much, unsigned: expenses are printed with a minus by some exporters and without by others.
    fn amount(&self) -> Result<(Direction, Decimal), Fault> {
        let read = |place: usize| {
            let cell = self.at(Some(place));
            if cell.is_empty() { Ok(Decimal::ZERO) } else { decimal(self.cells.name(Some(place)), cell) }
        };
        let (income, expense) = (read(self.places.income)?, read(self.places.expense)?.abs());
        let field = self.cells.name(Some(self.places.income));
        match (income.is_zero(), expense.is_zero()) {
            (false, false) => {
                Err(Fault::quoting(field, RejectCode::NotAnAmount, &format!("{income} / {expense}")))
            }
            (false, true) if income.is_sign_negative() => {
                Err(Fault::quoting(field, RejectCode::NegativeAmount, &income.to_string()))
            }
            (true, false) => Ok((Direction::Out, expense)),
            (_, true) => Ok((Direction::In, income)),
        }
    }

    /// The trade that the movement belongs to.
    fn trade(&self) -> Option<&str> {
        let is_trade =
            |number: &&str| number.len() == TRADE_DIGITS && number.bytes().all(|byte| byte.is_ascii_digit());
        let places = [self.places.trade, Some(self.places.business)];
        places.into_iter().map(|place| self.at(place)).find(is_trade)
    }

    fn line(&self, number: u64) -> Result<Line, Fault> {
        let places = self.places;
        for text in [places.goods, places.remark, places.described] {
            if holds_card_number(self.at(text)) {
                return Err(Fault::new(self.cells.name(text), RejectCode::CardNumber));
            }
        }
        let (direction, printed) = self.amount()?;
        let moved = minor(self.cells.name(Some(places.income)), printed, Currency::CNY)?;
        let field = self.cells.name(Some(places.time));
        let posted_at = beijing_time(field, self.at(Some(places.time)), self.context.now)?;
        let trade = self.trade();
        let (kind, restated, purpose) = meaning_of(self.at(Some(places.kind)), trade.is_some(), direction);
        let row = Moved {
            line_id: values::id(self.cells.name(Some(places.flow)), self.at(Some(places.flow)))?,
            posted_at,
            source_day: values::beijing_day(posted_at),
            account: self.account,
            provider: PROVIDER,
            kind,
            direction,
            currency: Currency::CNY,
            gross: moved,
        };
        let business = values::text(self.at(Some(places.business)));
        let row = LedgerLine {
            net: Some(signed(moved, direction)),
            payout_id: if kind == LedgerKind::Payout { business.clone() } else { None },
            parent_transaction_id: trade.filter(|_| kind != LedgerKind::Payment).map(str::to_owned),
            provider_transaction_id: trade.map(str::to_owned).or(business),
            order_id: values::text(self.at(places.order)),
            method: restated.then(|| Word::of(PROVIDER)),
            description: values::text(self.at(places.goods)),
            attributes: self.attributes(purpose),
            ..row.line(self.context, number)
        };
        Ok(if restated { Line::Witness(Box::new(row)) } else { Line::Row(Box::new(row)) })
    }

    /// What has no field of its own, sorted by key. The other side's name and account are not kept.
    fn attributes(&self, purpose: &str) -> Vec<(String, String)> {
        let places = self.places;
        super::attributes(&[
            ("balance", self.at(places.balance)),
            ("business_source", self.at(places.origin)),
            ("business_type", self.at(Some(places.kind))),
            ("channel", self.at(places.channel)),
            ("details", self.at(places.described)),
            ("purpose", purpose),
            ("remark", self.at(places.remark)),
        ])
    }
}
