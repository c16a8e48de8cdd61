//! WeChat Pay's trade bill (交易账单): a backtick before every cell, no quotes, a summary of two lines at the end.
//!
//! Families ALL, SUCCESS and REFUND, new and old, differ in columns; each column is found by its name.

use rust_decimal::Decimal;

use super::super::holds_card_number;
use super::columns::{Cells, Columns};
use super::reading::{About, Bill, LineBill};
use super::refusal::Refusal;
use super::rejection::{Fault, RejectCode, RejectedLine};
use super::totals::{ColumnSum, Control, TotalsCheck};
use super::values::{self, beijing_time, decimal, minor};
use super::{BillContext, Line, NotData};
use crate::domain::{
    Currency, Direction, Instant, LedgerKind, LedgerLine, MethodDetail, Scene, Status, Word,
};

/// The columns without which a line is not the header of such a bill.
pub const HEADER: [&str; 4] = ["交易时间", "商户号", "微信订单号", "交易状态"];
const PROVIDER: &str = "wechat_pay";
/// First cell of the summary's header.
const SUMMARY: &str = "总交易单数";
/// `0` stands for "none" in the refund numbers of payments and in the sub-merchant of plain merchants.
const NONE: &str = "0";

/// Column of the rows, and the names of its total in the summary (new, old).
const TOTALS: [(&[&str], &[&str]); 6] = [
    (&["应结订单金额", "总金额"], &["应结订单总金额", "总交易额"]),
    (&["退款金额"], &["退款总金额", "总退款金额"]),
    (
        &["充值券退款金额", "代金券或立减优惠退款金额", "企业红包退款金额"],
        &["充值券退款总金额", "总代金券或立减优惠退款金额", "总企业红包退款金额"],
    ),
    (&["手续费"], &["手续费总金额"]),
    (&["订单金额"], &["订单总金额"]),
    (&["申请退款金额"], &["申请退款总金额"]),
];

/// Reader of one trade bill.
pub struct WechatPayTrade<'a> {
    context: &'a BillContext<'a>,
    section: Option<Section>,
    summary: Option<Columns>,
    check: Option<TotalsCheck>,
    variant: &'static str,
    controls: Vec<Control>,
    unread: Vec<String>,
}

/// From one header to its summary.
struct Section {
    columns: Columns,
    places: Places,
    rows: u64,
    /// Where the columns of [`TOTALS`] stand.
    summed: [Option<usize>; TOTALS.len()],
    sums: [ColumnSum; TOTALS.len()],
    /// Sum of the settled amounts of payments alone: old refund rows repeat the order's.
    paid: ColumnSum,
    unreadable: bool,
    /// Looked up once: it is the same of every row.
    provider: Word,
}

/// Where each column stands.
struct Places {
    time: usize,
    account: usize,
    transaction: usize,
    state: usize,
    app: Option<usize>,
    sub_merchant: Option<usize>,
    device: Option<usize>,
    order: Option<usize>,
    customer: Option<usize>,
    trade_type: Option<usize>,
    bank: Option<usize>,
    currency: Option<usize>,
    settled: usize,
    coupon: Option<usize>,
    refund_asked_at: Option<usize>,
    refunded_at: Option<usize>,
    refund: Option<usize>,
    merchant_refund: Option<usize>,
    refunded: Option<usize>,
    refund_status: Option<usize>,
    goods: Option<usize>,
    attach: Option<usize>,
    fee: usize,
    rate: Option<usize>,
    ordered: Option<usize>,
    refund_asked: Option<usize>,
}

impl Places {
    fn of(columns: &Columns) -> Result<Self, Refusal> {
        let find = |name: &str| columns.find(&[name]);
        Ok(Self {
            time: columns.need(&["交易时间"])?,
            account: columns.need(&["商户号"])?,
            transaction: columns.need(&["微信订单号"])?,
            state: columns.need(&["交易状态"])?,
            app: find("公众账号ID"),
            sub_merchant: columns.find(&["特约商户号", "子商户号"]),
            device: find("设备号"),
            order: find("商户订单号"),
            customer: find("用户标识"),
            trade_type: find("交易类型"),
            bank: find("付款银行"),
            currency: find("货币种类"),
            settled: columns.need(TOTALS[0].0)?,
            coupon: columns.find(&["代金券金额", "代金券或立减优惠金额", "企业红包金额"]),
            refund_asked_at: find("退款申请时间"),
            refunded_at: find("退款成功时间"),
            refund: find("微信退款单号"),
            merchant_refund: find("商户退款单号"),
            refunded: find("退款金额"),
            refund_status: find("退款状态"),
            goods: find("商品名称"),
            attach: find("商户数据包"),
            fee: columns.need(&["手续费"])?,
            rate: find("费率"),
            ordered: find("订单金额"),
            refund_asked: find("申请退款金额"),
        })
    }
}

impl<'a> WechatPayTrade<'a> {
    /// A reader that has seen nothing yet.
    pub const fn new(context: &'a BillContext<'a>) -> Self {
        Self {
            context,
            section: None,
            summary: None,
            check: None,
            variant: "",
            controls: Vec::new(),
            unread: Vec::new(),
        }
    }

    fn begin(&mut self, line: &str) -> Result<(), Refusal> {
        if self.section.is_some() {
            return Err(Refusal::SummaryMissing);
        }
        let columns = Columns::of_header(line);
        columns.each_once()?;
        let places = Places::of(&columns)?;
        let old = places.ordered.is_none();
        self.variant = match (places.refund_asked_at.is_some(), places.refund.is_some(), old) {
            (true, _, false) => "REFUND",
            (true, _, true) => "REFUND (old)",
            (false, true, false) => "ALL",
            (false, true, true) => "ALL (old)",
            (false, false, false) => "SUCCESS",
            (false, false, true) => "SUCCESS (old)",
        };
        let sums = [ColumnSum::default(); TOTALS.len()];
        let paid = ColumnSum::default();
        let summed = TOTALS.map(|(of_rows, _)| columns.find(of_rows));
        self.unread = columns.unread();
        let provider = Word::of(PROVIDER);
        self.section =
            Some(Section { columns, places, rows: 0, summed, sums, paid, unreadable: false, provider });
        Ok(())
    }

    /// Compares the rows of the section that ends here with its summary.
    fn end(&mut self, line: &str) -> Result<(), Refusal> {
        let (Some(section), Some(columns)) = (self.section.take(), self.summary.take()) else {
            return Err(Refusal::SummaryMissing);
        };
        let cells = Cells::of_line(&columns, line).map_err(|_| Refusal::CutOff)?;
        let printed = |names: &[&str]| -> Result<Option<(String, Decimal)>, Refusal> {
            let place = columns.find(names);
            if place.is_none() {
                return Ok(None);
            }
            let name = cells.name(place).to_owned();
            let value = decimal(&name, cells.at(place)).map_err(|_| Refusal::CutOff)?;
            Ok(Some((name, value)))
        };
        let (name, count) = printed(&[SUMMARY])?.ok_or(Refusal::SummaryMissing)?;
        let mut rows = ColumnSum::default();
        rows.add(Decimal::from(section.rows));
        self.controls.push(rows.check(&name, count)?);
        let mut check = TotalsCheck::Matched;
        for (place, (_, of_summary)) in TOTALS.iter().enumerate() {
            let Some((name, value)) = printed(of_summary)? else { continue };
            if section.unreadable {
                check = TotalsCheck::NotComparable;
            } else if section.summed[place].is_some() {
                let of_payments = place == 0 && section.paid.value() == value;
                let sum = if of_payments { section.paid } else { section.sums[place] };
                self.controls.push(sum.check(&name, value)?);
            }
        }
        self.check = Some(self.check.map_or(check, |before| before.and(check)));
        Ok(())
    }
}

impl Bill for WechatPayTrade<'_> {
    fn provider(&self) -> &'static str {
        PROVIDER
    }

    fn about(&self) -> About {
        About {
            variant: self.variant.to_owned(),
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

impl LineBill for WechatPayTrade<'_> {
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
        self.rows += 1;
        let cells = match Cells::of_line(&self.columns, line) {
            Ok(cells) => cells,
            Err(fault) => {
                self.unreadable = true;
                return Ok(Line::Rejected(RejectedLine::new(number, fault, None)));
            }
        };
        let places = &self.places;
        for place in [Some(places.transaction), places.order, places.refund, places.merchant_refund] {
            if values::is_excel_damaged(cells.at(place)) {
                return Err(Refusal::ExcelDamaged(number));
            }
        }
        for (sum, place) in self.sums.iter_mut().zip(self.summed) {
            let Some(place) = place else { continue };
            match decimal("", cells.at(Some(place))) {
                Ok(value) => {
                    sum.add(value);
                    if place == places.settled && cells.at(Some(places.state)) == "SUCCESS" {
                        self.paid.add(value);
                    }
                }
                Err(_) if cells.at(Some(place)).is_empty() => {}
                Err(_) => self.unreadable = true,
            }
        }
        let row = Row { context, places, cells: &cells, provider: self.provider };
        Ok(match row.ledger_line(number) {
            Ok(line) => Line::Row(Box::new(line)),
            Err(fault) => {
                let raw = cells.redacted(&[places.customer, places.attach]);
                Line::Rejected(RejectedLine::new(number, fault, Some(raw)))
            }
        })
    }
}

/// One data line.
struct Row<'a> {
    context: &'a BillContext<'a>,
    places: &'a Places,
    cells: &'a Cells<'a>,
    provider: Word,
}

/// The amounts of a row in minor units.
struct Amounts {
    gross: i64,
    fee: i64,
    net: i64,
    list: Option<i64>,
    discount_merchant: Option<i64>,
    coupon: i64,
}

impl Row<'_> {
    fn at(&self, place: Option<usize>) -> &str {
        self.cells.at(place)
    }

    /// A cell with "none" as empty.
    fn given(&self, place: Option<usize>) -> &str {
        let cell = self.at(place);
        if cell == NONE { "" } else { cell }
    }

    fn fault(&self, place: Option<usize>, code: RejectCode) -> Fault {
        Fault::quoting(self.cells.name(place), code, self.at(place))
    }

    fn ledger_line(&self, number: u64) -> Result<LedgerLine, Fault> {
        let places = self.places;
        for text in [places.goods, places.attach] {
            if holds_card_number(self.at(text)) {
                return Err(Fault::new(self.cells.name(text), RejectCode::CardNumber));
            }
        }
        let (kind, status) = self.kind_and_status()?;
        let currency = self.currency()?;
        let amounts = self.amounts(kind, currency)?;
        let posted_at = self.posted_at(kind)?;
        let transaction =
            values::id(self.cells.name(Some(places.transaction)), self.at(Some(places.transaction)))?;
        let refund = self.given(places.refund);
        let line_id = match kind {
            LedgerKind::Refund if !refund.is_empty() => values::id(self.cells.name(places.refund), refund)?,
            _ => transaction.clone(),
        };
        let account = values::id(self.cells.name(Some(places.account)), self.at(Some(places.account)))?;
        let is_refund = kind == LedgerKind::Refund;
        let method = Some(self.provider);
        let openid = self.at(places.customer);
        Ok(LedgerLine {
            provider_transaction_id: Some(line_id.clone()),
            line_id,
            posted_at,
            source_day: values::beijing_day(posted_at),
            store: self.context.store,
            account,
            provider: method,
            status,
            completed_at: (status == Status::Succeeded).then_some(posted_at),
            updated_at: Some(posted_at),
            operator: None,
            terminal: values::text(self.at(places.device)),
            scene: scene_of(self.at(places.trade_type)),
            list_amount: amounts.list,
            discount_merchant: amounts.discount_merchant,
            discount_platform: None,
            category: None,
            attributes: self.attributes(status, amounts.coupon),
            kind,
            direction: if is_refund { Direction::Out } else { Direction::In },
            currency,
            gross: amounts.gross,
            fee: Some(amounts.fee),
            net: Some(amounts.net),
            fee_rate: values::text(self.at(places.rate)),
            settle_currency: None,
            settle_amount: None,
            exchange_rate: None,
            parent_transaction_id: is_refund.then_some(transaction),
            order_id: values::text(self.at(places.order)),
            payout_id: None,
            method,
            method_detail: method_detail(self.at(places.bank)),
            customer: (!openid.is_empty()).then(|| self.context.pseudonyms.of("customer", PROVIDER, openid)),
            description: values::text(&unescaped(self.at(places.goods))),
            file: Some(self.context.file.to_owned()),
            line_number: i64::try_from(number).ok(),
            test: false,
        })
    }

    /// Bills hold paid orders and accepted refunds only; a revoked order is one that gives its money back.
    fn kind_and_status(&self) -> Result<(LedgerKind, Status), Fault> {
        match self.at(Some(self.places.state)) {
            "SUCCESS" => Ok((LedgerKind::Payment, Status::Succeeded)),
            "REFUND" | "REVOKED" => {
                let status = match self.at(self.places.refund_status) {
                    "SUCCESS" | "" => Status::Succeeded,
                    "PROCESSING" => Status::Pending,
                    // CHANGE and ABNORMAL: the money came back from the shopper's bank and waits for the shop.
                    "FAIL" | "CHANGE" | "ABNORMAL" | "CLOSED" | "REFUNDCLOSE" => Status::Failed,
                    _ => return Err(self.fault(self.places.refund_status, RejectCode::UnknownStatus)),
                };
                Ok((LedgerKind::Refund, status))
            }
            _ => Err(self.fault(Some(self.places.state), RejectCode::UnknownKind)),
        }
    }

    fn currency(&self) -> Result<Currency, Fault> {
        let place = self.places.currency;
        if place.is_none() {
            return Ok(Currency::CNY);
        }
        Currency::parse(self.at(place)).map_err(|_| self.fault(place, RejectCode::UnknownCurrency))
    }

    fn amount(&self, place: Option<usize>, currency: Currency) -> Result<i64, Fault> {
        let cell = self.at(place);
        if cell.is_empty() {
            return Ok(0);
        }
        let field = self.cells.name(place);
        minor(field, decimal(field, cell)?, currency)
    }

    fn unsigned(&self, place: Option<usize>, currency: Currency) -> Result<i64, Fault> {
        let amount = self.amount(place, currency)?;
        if amount < 0 { Err(self.fault(place, RejectCode::NegativeAmount)) } else { Ok(amount) }
    }

    fn amounts(&self, kind: LedgerKind, currency: Currency) -> Result<Amounts, Fault> {
        let places = self.places;
        let settled = self.unsigned(Some(places.settled), currency)?;
        let refunded = self.unsigned(places.refunded, currency)?;
        let fee = self.amount(Some(places.fee), currency)?;
        let coupon = self.unsigned(places.coupon, currency)?;
        let is_refund = kind == LedgerKind::Refund;
        let main = match (is_refund, places.refund_asked, places.ordered) {
            (true, Some(asked), _) => Some(asked),
            (true, None, _) => places.refunded,
            (false, _, Some(ordered)) => Some(ordered),
            (false, _, None) => Some(places.settled),
        };
        if self.at(main).is_empty() {
            return Err(Fault::new(self.cells.name(main), RejectCode::Missing));
        }
        let gross = self.unsigned(main, currency)?;
        // Old refund rows repeat the order's amount: only what is given back moves.
        let net = if is_refund { -refunded - fee } else { settled - fee };
        // What the order was worth beyond what is settled is a coupon that the shop itself bears.
        let discount = (!is_refund && places.ordered.is_some()).then(|| (gross - settled).max(0));
        let list = (!is_refund).then_some(gross);
        Ok(Amounts { gross, fee, net, list, discount_merchant: discount, coupon })
    }

    /// When the money moved. The REFUND family prints the payment's time as the trade's, and the refund's beside it.
    fn posted_at(&self, kind: LedgerKind) -> Result<Instant, Fault> {
        let places = self.places;
        let of_refund = [places.refunded_at, places.refund_asked_at]
            .into_iter()
            .find(|place| kind == LedgerKind::Refund && !self.at(*place).is_empty());
        let place = of_refund.unwrap_or(Some(places.time));
        beijing_time(self.cells.name(place), self.at(place), self.context.now)
    }

    /// What has no field of its own, sorted by key.
    fn attributes(&self, status: Status, coupon: i64) -> Vec<(String, String)> {
        let places = self.places;
        let refund_status = if status == Status::Succeeded { "" } else { self.at(places.refund_status) };
        let coupon = if coupon == 0 { String::new() } else { self.at(places.coupon).to_owned() };
        let state = self.at(Some(places.state));
        let store = store_of(self.at(places.attach)).unwrap_or_default();
        let pairs = [
            ("app", self.at(places.app)),
            ("coupon", &coupon),
            ("merchant_refund_id", self.given(places.merchant_refund)),
            ("refund_status", refund_status),
            ("store_code", &store),
            ("sub_merchant", self.given(places.sub_merchant)),
            ("trade_state", if state == "REVOKED" { state } else { "" }),
            ("trade_type", self.at(places.trade_type)),
        ];
        super::attributes(&pairs)
    }
}

/// A text as the shop wrote it: its commas are escaped, its line ends are words.
fn unescaped(text: &str) -> std::borrow::Cow<'_, str> {
    if text.contains('\\') { text.replace("\\ ", ",").replace("\\n", " ").into() } else { text.into() }
}

/// The store in a merchant's own data, where that is JSON and names one.
fn store_of(attach: &str) -> Option<String> {
    if !attach.starts_with('{') || !attach.contains("\"store") {
        return None;
    }
    let attach: serde_json::Value = serde_json::from_str(attach).ok()?;
    let store = attach.get("store").or_else(|| attach.get("store_id"))?;
    store.as_str().map(str::to_owned)
}

/// How shopper and shop met. `JSAPI` is a mini program, an official account or a plate: it does not say.
fn scene_of(trade_type: &str) -> Option<Scene> {
    match trade_type {
        "MICROPAY" => Some(Scene::Scanner),
        "FACEPAY" | "FACE" => Some(Scene::Face),
        "APP" => Some(Scene::App),
        "MWEB" => Some(Scene::H5),
        "NATIVE" => Some(Scene::Web),
        _ => None,
    }
}

fn method_detail(bank: &str) -> MethodDetail {
    let funding = match bank.rsplit_once('_') {
        Some((_, "DEBIT")) => Some("debit".to_owned()),
        Some((_, "CREDIT")) => Some("credit".to_owned()),
        _ => None,
    };
    MethodDetail { bank: values::text(bank), funding, ..MethodDetail::default() }
}
