//! Alipay's trade bill (业务明细): lines with `#` before and after, tabs in cells, refunds negative, fees with the
//! shop's sign.

use rust_decimal::Decimal;

use super::super::holds_card_number;
use super::columns::{Cells, Columns, normal};
use super::reading::{About, Bill, LineBill};
use super::refusal::Refusal;
use super::rejection::{Fault, RejectCode, RejectedLine};
use super::totals::{ColumnSum, Control, TotalsCheck};
use super::values::{self, beijing_time, decimal, minor};
use super::{BillContext, Line, NotData};
use crate::domain::{Currency, Direction, LedgerKind, LedgerLine, MethodDetail, Status, Word};

/// The columns without which a line is not the header of such a bill.
pub const HEADER: [&str; 3] = ["支付宝交易号", "业务类型", "订单金额(元)"];
/// What Alipay appends to a seller's number for its bill account.
const ACCOUNT_SUFFIX: &str = "0156";
const SELLER_DIGITS: usize = 16;
const PROVIDER: &str = "alipay";
const PAYMENT: &str = "交易";
const REFUND: &str = "退款";

/// Reader of one trade bill.
pub struct AlipayTrade<'a> {
    context: &'a BillContext<'a>,
    account: String,
    header: Option<(Columns, Places)>,
    payments: Sums,
    refunds: Sums,
    unreadable: bool,
    /// Totals found at the end: payments, refunds.
    seen: (bool, bool),
    controls: Vec<Control>,
    /// Looked up once: it is the same of every row.
    provider: Word,
}

/// Sums over one kind of row.
#[derive(Default)]
struct Sums {
    rows: u64,
    received: ColumnSum,
    ordered: ColumnSum,
    discount: ColumnSum,
}

/// Where each column stands.
struct Places {
    trade: usize,
    order: Option<usize>,
    kind: usize,
    goods: Option<usize>,
    completed: usize,
    store: Option<usize>,
    store_name: Option<usize>,
    operator: Option<usize>,
    terminal: Option<usize>,
    buyer: Option<usize>,
    ordered: usize,
    received: usize,
    platform: [Option<usize>; 3],
    merchant: [Option<usize>; 2],
    refund: Option<usize>,
    fee: Option<usize>,
    split: Option<usize>,
    net: Option<usize>,
    instalments: Option<usize>,
    remark: Option<usize>,
}

impl Places {
    fn of(columns: &Columns) -> Result<Self, Refusal> {
        let find = |name: &str| columns.find(&[name]);
        Ok(Self {
            trade: columns.need(&["支付宝交易号"])?,
            order: find("商户订单号"),
            kind: columns.need(&["业务类型"])?,
            goods: find("商品名称"),
            completed: columns.need(&["完成时间"])?,
            store: find("门店编号"),
            store_name: find("门店名称"),
            operator: find("操作员"),
            terminal: find("终端号"),
            buyer: find("对方账户"),
            ordered: columns.need(&["订单金额(元)"])?,
            received: columns.need(&["商家实收(元)"])?,
            platform: [find("支付宝红包(元)"), find("集分宝(元)"), find("支付宝优惠(元)")],
            merchant: [find("商家优惠(元)"), find("商家红包消费金额(元)")],
            refund: columns.find(&["退款批次号/请求号", "退款批次号", "退款请求号"]),
            fee: find("服务费(元)"),
            split: find("分润(元)"),
            net: find("实收净额(元)"),
            instalments: columns.find(&["花呗分期数", "花呗分期数(期)"]),
            remark: find("备注"),
        })
    }
}

impl<'a> AlipayTrade<'a> {
    /// A reader that has seen nothing yet.
    pub fn new(context: &'a BillContext<'a>) -> Self {
        Self {
            context,
            account: String::new(),
            header: None,
            payments: Sums::default(),
            refunds: Sums::default(),
            unreadable: false,
            seen: (false, false),
            controls: Vec::new(),
            provider: Word::of(PROVIDER),
        }
    }

    fn comment(&mut self, line: &str) -> Result<NotData, Refusal> {
        let text = normal(line);
        if let Some(account) = text.strip_prefix("#账号:") {
            self.account = seller_of(account);
        }
        if let Some(totals) = text.strip_prefix("#交易合计:") {
            self.controls.append(&mut self.payments.check(PAYMENT, totals, self.unreadable)?);
            self.seen.0 = true;
            return Ok(NotData::Summary);
        }
        if let Some(totals) = text.strip_prefix("#退款合计:") {
            self.controls.append(&mut self.refunds.check(REFUND, totals, self.unreadable)?);
            self.seen.1 = true;
            return Ok(NotData::Summary);
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
        for place in [Some(places.trade), places.order, places.refund] {
            if values::is_excel_damaged(cells.at(place)) {
                return Err(Refusal::ExcelDamaged(number));
            }
        }
        let sums = match cells.at(Some(places.kind)) {
            PAYMENT => &mut self.payments,
            REFUND => &mut self.refunds,
            _ => {
                // Belongs to neither total of the file, so neither can be compared.
                self.unreadable = true;
                let field = cells.name(Some(places.kind));
                let fault = Fault::quoting(field, RejectCode::UnknownKind, cells.at(Some(places.kind)));
                let raw = cells.redacted(&[places.buyer]);
                return Ok(Line::Rejected(RejectedLine::new(number, fault, Some(raw))));
            }
        };
        if !sums.add(&cells, places) {
            self.unreadable = true;
        }
        let account = if self.account.is_empty() { self.context.account() } else { &self.account };
        let row = Row { context: self.context, account, places, cells: &cells, provider: self.provider };
        Ok(match row.ledger_line(number) {
            Ok(line) => Line::Row(Box::new(line)),
            Err(fault) => {
                let raw = cells.redacted(&[places.buyer]);
                Line::Rejected(RejectedLine::new(number, fault, Some(raw)))
            }
        })
    }
}

impl Bill for AlipayTrade<'_> {
    fn provider(&self) -> &'static str {
        PROVIDER
    }

    fn about(&self) -> About {
        let variant = match &self.header {
            Some((_, places)) if places.net.is_some() => "trade (acquirer)",
            _ => "trade",
        };
        About {
            variant: variant.to_owned(),
            zone: values::BEIJING.to_owned(),
            unread_columns: self.header.as_ref().map(|(columns, _)| columns.unread()).unwrap_or_default(),
            controls: self.controls.clone(),
        }
    }

    fn finish(&mut self) -> Result<TotalsCheck, Refusal> {
        // A day without refunds may have no line for them; rows without their total are a file cut off.
        let missing = !self.seen.0 || (!self.seen.1 && self.refunds.rows > 0);
        if missing {
            return Err(Refusal::SummaryMissing);
        }
        Ok(if self.unreadable { TotalsCheck::NotComparable } else { TotalsCheck::Matched })
    }
}

impl LineBill for AlipayTrade<'_> {
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
    /// Adds a row; false when an amount cannot be read.
    fn add(&mut self, cells: &Cells<'_>, places: &Places) -> bool {
        self.rows += 1;
        let mut readable = true;
        let columns = [
            (&mut self.received, Some(places.received)),
            (&mut self.ordered, Some(places.ordered)),
            (&mut self.discount, places.merchant[0]),
        ];
        for (sum, place) in columns {
            match decimal("", cells.at(place)) {
                Ok(value) => sum.add(value),
                Err(_) => readable &= cells.at(place).is_empty(),
            }
        }
        readable
    }

    /// Compares with a line such as `2笔，商家实收共223.00元，商家优惠共5.00元`; old files say `交易金额共`.
    fn check(&self, kind: &str, totals: &str, unreadable: bool) -> Result<Vec<Control>, Refusal> {
        let mut controls = Vec::new();
        for part in totals.split(['，', ',']) {
            if let Some(count) = part.strip_suffix('笔') {
                let count = decimal("", count).map_err(|_| Refusal::CutOff)?;
                let mut rows = ColumnSum::default();
                rows.add(Decimal::from(self.rows));
                if !unreadable {
                    controls.push(rows.check(&format!("{kind}笔数"), count)?);
                }
                continue;
            }
            let Some((name, amount)) = part.split_once('共') else { continue };
            let amount = amount.strip_suffix('元').ok_or(Refusal::CutOff)?;
            let printed = decimal("", amount).map_err(|_| Refusal::CutOff)?;
            if !unreadable && let Some(control) = self.check_amount(name, printed)? {
                controls.push(control);
            }
        }
        Ok(controls)
    }

    /// `None` where it is not said what the total counts.
    fn check_amount(&self, name: &str, printed: Decimal) -> Result<Option<Control>, Refusal> {
        // Refund totals carry a minus in some files and none in others.
        let signed = |sum: ColumnSum| if sum.value().abs() == printed.abs() { sum.value() } else { printed };
        if name.contains("优惠") {
            // In the old wording it is not said whose discounts are counted.
            let ours = name.contains("商家");
            return ours.then(|| self.discount.check(name, signed(self.discount))).transpose();
        }
        let old_wording = !name.contains("实收");
        let by_order = old_wording && self.ordered.value().abs() == printed.abs();
        let sum = if by_order { self.ordered } else { self.received };
        sum.check(name, signed(sum)).map(Some)
    }
}

/// One data line.
struct Row<'a> {
    context: &'a BillContext<'a>,
    account: &'a str,
    places: &'a Places,
    cells: &'a Cells<'a>,
    provider: Word,
}

impl Row<'_> {
    fn at(&self, place: Option<usize>) -> &str {
        self.cells.at(place)
    }

    /// A signed amount in minor units; `None` where the column is missing or empty.
    fn amount(&self, place: Option<usize>) -> Result<Option<i64>, Fault> {
        let cell = self.at(place);
        if cell.is_empty() {
            return Ok(None);
        }
        let field = self.cells.name(place);
        minor(field, decimal(field, cell)?, Currency::CNY).map(Some)
    }

    fn needed(&self, place: usize) -> Result<i64, Fault> {
        let amount = self.amount(Some(place))?;
        amount.ok_or_else(|| Fault::new(self.cells.name(Some(place)), RejectCode::Missing))
    }

    /// Sum of the absolute amounts of several columns; `None` when no file of this family has them.
    fn discounts(&self, places: &[Option<usize>]) -> Result<Option<i64>, Fault> {
        let mut sum = None;
        for place in places {
            if let Some(amount) = self.amount(*place)? {
                sum = Some(sum.unwrap_or(0) + amount.abs());
            }
        }
        Ok(sum)
    }

    fn ledger_line(&self, number: u64) -> Result<LedgerLine, Fault> {
        let places = self.places;
        for text in [places.goods, places.remark, places.store_name] {
            if holds_card_number(self.at(text)) {
                return Err(Fault::new(self.cells.name(text), RejectCode::CardNumber));
            }
        }
        let is_refund = self.at(Some(places.kind)) == REFUND;
        let kind = if is_refund { LedgerKind::Refund } else { LedgerKind::Payment };
        let ordered = self.needed(places.ordered)?;
        if !is_refund && ordered < 0 {
            let field = self.cells.name(Some(places.ordered));
            return Err(Fault::quoting(field, RejectCode::NegativeAmount, self.at(Some(places.ordered))));
        }
        let service = self.amount(places.fee)?;
        let net = self.net(is_refund, service)?;
        let field = self.cells.name(Some(places.completed));
        let posted_at = beijing_time(field, self.at(Some(places.completed)), self.context.now)?;
        let trade = values::id(self.cells.name(Some(places.trade)), self.at(Some(places.trade)))?;
        let method = Some(self.provider);
        let gross = ordered.abs();
        Ok(LedgerLine {
            line_id: self.line_id(is_refund, &trade)?,
            posted_at,
            source_day: values::beijing_day(posted_at),
            store: self.context.store,
            account: self.account.to_owned(),
            provider: method,
            status: Status::Succeeded,
            completed_at: Some(posted_at),
            updated_at: Some(posted_at),
            operator: values::text(self.at(places.operator)),
            terminal: values::text(self.at(places.terminal)),
            scene: None,
            list_amount: (!is_refund).then_some(gross),
            discount_merchant: self.discounts(&places.merchant)?,
            discount_platform: self.discounts(&places.platform)?,
            category: None,
            attributes: super::attributes(&[
                ("instalments", self.at(places.instalments)),
                ("merchant_refund_id", if is_refund { self.at(places.refund) } else { "" }),
                ("profit_share", nonzero(self.at(places.split))),
                ("remark", self.at(places.remark)),
                ("store_code", self.at(places.store)),
                ("store_name", self.at(places.store_name)),
            ]),
            kind,
            direction: if is_refund { Direction::Out } else { Direction::In },
            currency: Currency::CNY,
            gross,
            fee: service.map(|amount| -amount),
            net: Some(net),
            fee_rate: None,
            settle_currency: None,
            settle_amount: None,
            exchange_rate: None,
            provider_transaction_id: Some(trade.clone()),
            parent_transaction_id: is_refund.then_some(trade),
            order_id: values::text(self.at(places.order)),
            payout_id: None,
            method,
            method_detail: MethodDetail::default(),
            // The buyer is masked in the file (`138****0000`): not unique, so no identity.
            customer: None,
            description: values::text(self.at(places.goods)),
            file: Some(self.context.file.to_owned()),
            line_number: i64::try_from(number).ok(),
            test: false,
        })
    }

    /// What the line adds to the shop's balance: printed, or received + fee + profit share, each with its sign.
    fn net(&self, is_refund: bool, service: Option<i64>) -> Result<i64, Fault> {
        if let Some(net) = self.amount(self.places.net)? {
            return Ok(net);
        }
        let received = self.needed(self.places.received)?;
        // Some exporters print refunds without their minus.
        let received = if is_refund { -received.abs() } else { received };
        let split = self.amount(self.places.split)?.unwrap_or(0);
        Ok(received + service.unwrap_or(0) + split)
    }

    /// A trade may be refunded several times: the request's number tells them apart, where there is none the second.
    fn line_id(&self, is_refund: bool, trade: &str) -> Result<String, Fault> {
        if !is_refund {
            return Ok(trade.to_owned());
        }
        let request = match self.at(self.places.refund) {
            "" => self.at(Some(self.places.completed)),
            request => request,
        };
        let field = self.cells.name(self.places.refund);
        values::id(field, &format!("{trade}/{request}"))
    }
}

/// The seller's number in a line such as `#账号：[20880000000000010156]`.
pub fn seller_of(account: &str) -> String {
    let digits = account.trim_matches(['[', ']']);
    let seller = digits.strip_suffix(ACCOUNT_SUFFIX).filter(|rest| rest.len() == SELLER_DIGITS);
    seller.unwrap_or(digits).to_owned()
}

/// An amount as printed, empty when it is zero.
fn nonzero(cell: &str) -> &str {
    if cell.bytes().any(|byte| (b'1'..=b'9').contains(&byte)) { cell } else { "" }
}
