//! WeChat Pay's fund-flow bill (资金账单): every movement of the merchant's balance, laid out as the trade bill is.
//!
//! What restates payments, refunds and their fees is a witness of the trade bill; withdrawals, top-ups, profit sharing and
//! the rest stand here alone and are rows.

use rust_decimal::Decimal;

use super::super::holds_card_number;
use super::columns::{Cells, Columns};
use super::moved::{Moved, signed};
use super::reading::{About, Bill, LineBill};
use super::refusal::Refusal;
use super::rejection::{Fault, RejectCode, RejectedLine};
use super::totals::{ColumnSum, Control, TotalsCheck};
use super::values::{self, beijing_time, decimal, minor};
use super::{BillContext, Line, NotData};
use crate::domain::{Currency, Direction, LedgerKind, LedgerLine, Word};

/// The columns without which a line is not the header of such a bill.
pub const HEADER: [&str; 3] = ["资金流水单号", "收支类型", "收支金额(元)"];
/// First cell of the summary's header.
const SUMMARY: &str = "资金流水总笔数";
const INCOME: &str = "收入";
const EXPENSE: &str = "支出";
const PROVIDER: &str = "wechat_pay";

/// Reader of one fund-flow bill.
pub struct WechatPayFlow<'a> {
    context: &'a BillContext<'a>,
    section: Option<Section>,
    summary: Option<Columns>,
    check: Option<TotalsCheck>,
    controls: Vec<Control>,
    unread: Vec<String>,
}

/// From one header to its summary.
struct Section {
    columns: Columns,
    places: Places,
    income: Sums,
    expense: Sums,
    /// Rows that belong to neither, because they could not be read.
    unreadable: u64,
}

#[derive(Default)]
struct Sums {
    rows: u64,
    amount: ColumnSum,
}

/// Where each column stands.
struct Places {
    time: usize,
    business: Option<usize>,
    flow: usize,
    name: Option<usize>,
    kind: Option<usize>,
    towards: usize,
    amount: usize,
    balance: Option<usize>,
    applicant: Option<usize>,
    remark: Option<usize>,
    voucher: Option<usize>,
}

impl Places {
    fn of(columns: &Columns) -> Result<Self, Refusal> {
        let find = |name: &str| columns.find(&[name]);
        Ok(Self {
            time: columns.need(&["记账时间"])?,
            business: find("微信支付业务单号"),
            flow: columns.need(&["资金流水单号"])?,
            name: find("业务名称"),
            kind: find("业务类型"),
            towards: columns.need(&["收支类型"])?,
            amount: columns.need(&["收支金额(元)"])?,
            balance: find("账户结余(元)"),
            applicant: find("资金变更提交申请人"),
            remark: find("备注"),
            voucher: find("业务凭证号"),
        })
    }
}

impl<'a> WechatPayFlow<'a> {
    /// A reader that has seen nothing yet.
    pub fn new(context: &'a BillContext<'a>) -> Self {
        Self { context, section: None, summary: None, check: None, controls: Vec::new(), unread: Vec::new() }
    }

    fn begin(&mut self, line: &str) -> Result<(), Refusal> {
        if self.section.is_some() {
            return Err(Refusal::SummaryMissing);
        }
        let columns = Columns::of_header(line);
        columns.each_once()?;
        let places = Places::of(&columns)?;
        self.unread = columns.unread();
        let (income, expense) = (Sums::default(), Sums::default());
        self.section = Some(Section { columns, places, income, expense, unreadable: 0 });
        Ok(())
    }

    /// Compares the rows of the section that ends here with its summary.
    fn end(&mut self, line: &str) -> Result<(), Refusal> {
        let (Some(section), Some(columns)) = (self.section.take(), self.summary.take()) else {
            return Err(Refusal::SummaryMissing);
        };
        let cells = Cells::of_line(&columns, line).map_err(|_| Refusal::CutOff)?;
        let all = section.income.rows + section.expense.rows + section.unreadable;
        let comparable = section.unreadable == 0;
        let totals = [
            (SUMMARY, counted(all), true),
            ("收入笔数", counted(section.income.rows), comparable),
            ("收入金额", section.income.amount, comparable),
            ("支出笔数", counted(section.expense.rows), comparable),
            ("支出金额", section.expense.amount, comparable),
        ];
        for (name, sum, comparable) in totals {
            let place = columns.find(&[name]);
            if place.is_none() || !comparable {
                continue;
            }
            let printed = decimal(name, cells.at(place)).map_err(|_| Refusal::CutOff)?;
            self.controls.push(sum.check(name, printed)?);
        }
        let check = if comparable { TotalsCheck::Matched } else { TotalsCheck::NotComparable };
        self.check = Some(self.check.map_or(check, |before| before.and(check)));
        Ok(())
    }
}

fn counted(rows: u64) -> ColumnSum {
    let mut sum = ColumnSum::default();
    sum.add(Decimal::from(rows));
    sum
}

impl Bill for WechatPayFlow<'_> {
    fn provider(&self) -> &'static str {
        PROVIDER
    }

    fn about(&self) -> About {
        About {
            variant: "fund flow".to_owned(),
            zone: values::BEIJING.to_owned(),
            unread_columns: self.unread.clone(),
            controls: self.controls.clone(),
        }
    }

    fn finish(&mut self) -> Result<TotalsCheck, Refusal> {
        if self.section.is_some() || self.summary.is_some() {
            return Err(Refusal::SummaryMissing);
        }
        self.check.ok_or(Refusal::SummaryMissing)
    }
}

impl LineBill for WechatPayFlow<'_> {
    fn read(&mut self, number: u64, text: &str) -> Result<Line, Refusal> {
        let line = text.trim_matches(['\u{feff}', ' ', '\t']);
        if line.trim_matches([',', '`']).trim().is_empty() {
            return Ok(Line::NotData(NotData::Blank));
        }
        if self.summary.is_some() {
            self.end(line)?;
            return Ok(Line::NotData(NotData::Summary));
        }
        if !line.starts_with('`') {
            let columns = Columns::of_header(line);
            if columns.has_all(&HEADER) {
                self.begin(line)?;
                return Ok(Line::NotData(NotData::Header));
            }
            if columns.find(&[SUMMARY]) == Some(0) {
                self.summary = Some(columns);
                return Ok(Line::NotData(NotData::Summary));
            }
        }
        match &mut self.section {
            Some(section) => section.read(self.context, number, line),
            None => Ok(Line::NotData(NotData::Comment)),
        }
    }
}

impl Section {
    fn read(&mut self, context: &BillContext<'_>, number: u64, line: &str) -> Result<Line, Refusal> {
        let cells = match Cells::of_line(&self.columns, line) {
            Ok(cells) => cells,
            Err(fault) => {
                self.unreadable += 1;
                return Ok(Line::Rejected(RejectedLine::new(number, fault, None)));
            }
        };
        let places = &self.places;
        for place in [Some(places.flow), places.business, places.voucher] {
            if values::is_excel_damaged(cells.at(place)) {
                return Err(Refusal::ExcelDamaged(number));
            }
        }
        let sums = match cells.at(Some(places.towards)) {
            INCOME => Some(&mut self.income),
            EXPENSE => Some(&mut self.expense),
            _ => None,
        };
        match (sums, decimal("", cells.at(Some(places.amount)))) {
            (Some(sums), Ok(amount)) => {
                sums.rows += 1;
                sums.amount.add(amount);
            }
            _ => self.unreadable += 1,
        }
        let row = Row { context, places, cells: &cells };
        Ok(match row.line(number) {
            Ok(line) => line,
            Err(fault) => {
                let raw = cells.redacted(&[places.applicant]);
                Line::Rejected(RejectedLine::new(number, fault, Some(raw)))
            }
        })
    }
}

/// What a kind of business is for us.
#[derive(Clone, Copy)]
struct Meaning {
    kind: LedgerKind,
    /// The trade bill is the record of it.
    restated: bool,
    purpose: &'static str,
}

/// The words are WeChat Pay's; of those that it may add later only the money is known.
fn meaning_of(business: &str) -> Meaning {
    let has = |part: &str| business.contains(part);
    let (kind, restated, purpose) = match business {
        "交易" => (LedgerKind::Payment, true, ""),
        "退款" => (LedgerKind::Refund, true, ""),
        _ if has("交易手续费") => (LedgerKind::Fee, true, ""),
        _ if has("手续费") || has("服务费") => (LedgerKind::Fee, false, ""),
        _ if has("提现") => (LedgerKind::Payout, false, ""),
        _ if has("分账") => (LedgerKind::Transfer, false, "profit_sharing"),
        _ if has("充值") => (LedgerKind::Transfer, false, "top_up"),
        _ if ["转账", "转入", "转出", "付款", "红包", "划拨"].into_iter().any(has) => {
            (LedgerKind::Transfer, false, "")
        }
        _ => (LedgerKind::Adjustment, false, ""),
    };
    Meaning { kind, restated, purpose }
}

/// One data line.
struct Row<'a> {
    context: &'a BillContext<'a>,
    places: &'a Places,
    cells: &'a Cells<'a>,
}

impl Row<'_> {
    fn at(&self, place: Option<usize>) -> &str {
        self.cells.at(place)
    }

    fn line(&self, number: u64) -> Result<Line, Fault> {
        let places = self.places;
        if holds_card_number(self.at(places.remark)) {
            return Err(Fault::new(self.cells.name(places.remark), RejectCode::CardNumber));
        }
        let meaning = meaning_of(self.at(places.kind.or(places.name)));
        let direction = match self.at(Some(places.towards)) {
            INCOME => Direction::In,
            EXPENSE => Direction::Out,
            other => {
                let field = self.cells.name(Some(places.towards));
                return Err(Fault::quoting(field, RejectCode::UnknownKind, other));
            }
        };
        let moved = self.amount()?;
        let field = self.cells.name(Some(places.time));
        let posted_at = beijing_time(field, self.at(Some(places.time)), self.context.now)?;
        let (gross, fee) = self.gross_and_fee(meaning.kind, moved);
        let row = Moved {
            line_id: self.line_id()?,
            posted_at,
            source_day: values::beijing_day(posted_at),
            account: self.context.account(),
            provider: PROVIDER,
            kind: meaning.kind,
            direction,
            currency: Currency::CNY,
            gross,
        };
        let business = values::text(self.at(places.business));
        let row = LedgerLine {
            fee,
            net: Some(signed(moved, direction)),
            payout_id: if meaning.kind == LedgerKind::Payout { business.clone() } else { None },
            provider_transaction_id: business,
            method: meaning.restated.then(|| Word::of(PROVIDER)),
            description: values::text(self.at(places.name)),
            attributes: self.attributes(meaning.purpose),
            ..row.line(self.context, number)
        };
        Ok(if meaning.restated { Line::Witness(Box::new(row)) } else { Line::Row(Box::new(row)) })
    }

    /// What moved, unsigned: the direction has a column of its own.
    fn amount(&self) -> Result<i64, Fault> {
        let place = Some(self.places.amount);
        let (field, cell) = (self.cells.name(place), self.at(place));
        let amount = minor(field, decimal(field, cell)?, Currency::CNY)?;
        if amount < 0 { Err(Fault::quoting(field, RejectCode::NegativeAmount, cell)) } else { Ok(amount) }
    }

    /// A refund's movement is net of the fee that came back; what the shopper got and the fee stand in the remark.
    fn gross_and_fee(&self, kind: LedgerKind, moved: i64) -> (i64, Option<i64>) {
        if kind != LedgerKind::Refund {
            return (moved, None);
        }
        let remark = self.at(self.places.remark);
        let gross = yuan_after(remark, "退款总金额");
        let fee = yuan_after(remark, "含手续费");
        match (gross, fee) {
            (Some(gross), Some(fee)) if gross - fee == moved => (gross, Some(-fee)),
            // Another wording, or one that does not add up: the movement is all that is certain.
            _ => (moved, None),
        }
    }

    /// A flow number may be the payment's own, and serve for payment, fee and several refunds: business type and business
    /// number tell them apart.
    fn line_id(&self) -> Result<String, Fault> {
        let place = Some(self.places.flow);
        let flow = values::id(self.cells.name(place), self.at(place))?;
        let parts = [self.places.kind, self.places.business].map(|place| self.at(place));
        let rest = parts.into_iter().filter(|part| !part.is_empty());
        let whole = rest.fold(flow, |whole, part| format!("{whole}/{part}"));
        values::id(self.cells.name(place), &whole)
    }

    /// What has no field of its own, sorted by key.
    fn attributes(&self, purpose: &str) -> Vec<(String, String)> {
        let places = self.places;
        super::attributes(&[
            ("applicant", self.at(places.applicant)),
            ("balance", self.at(places.balance)),
            ("business_type", self.at(places.kind)),
            ("flow", self.at(Some(places.flow))),
            ("purpose", purpose),
            ("remark", self.at(places.remark)),
            ("voucher", self.at(places.voucher)),
        ])
    }
}

/// The amount in `…退款总金额28.00元;…` after such a word, in fen.
fn yuan_after(remark: &str, word: &str) -> Option<i64> {
    let (_, rest) = remark.split_once(word)?;
    let amount = rest.trim_start_matches([':', '：', ' ']).split('元').next()?;
    let amount = decimal("", amount.trim()).ok()?;
    minor("", amount, Currency::CNY).ok().filter(|amount| *amount >= 0)
}
