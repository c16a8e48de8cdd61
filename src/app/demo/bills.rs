mod alipay;
mod archive;
pub(super) mod bank;
mod wechat_pay;

use std::collections::BTreeMap;

use bank::Booking;
use chrono::{Datelike, Days, NaiveDate, NaiveDateTime, Weekday};

use super::order::Draft;
use super::rails::share_half_up;
use super::script::{
    BEIJING, CHENGDU, LATE_WORKING_DAYS, SHANGHAI, SHORT_FEN, Script, beijing_day, bill_ready_at,
};
use super::shops::{Lane, Rail, SHOPS};
use crate::analytics::reconciliation::due_after;
use crate::domain::{Instant, Kind, Scene, Status, StoreId};

/// One trade bill, as the provider's site gives it away, or one statement of a bank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BillFile {
    pub store: StoreId,
    pub provider: &'static str,
    /// The provider's merchant id; of a bank, the account's number.
    pub account: &'static str,
    /// The Beijing day of the bill.
    pub day: NaiveDate,
    pub name: String,
    pub bytes: Vec<u8>,
}

/// What a bill says about one payment or refund.
#[derive(Clone, Debug)]
struct BillRow {
    completed: NaiveDateTime,
    created: NaiveDateTime,
    order_id: String,
    provider_id: String,
    /// The provider's refund id (empty where it has none) and the merchant's.
    refund: Option<(String, String)>,
    customer: String,
    scene: Scene,
    bank: String,
    title: String,
    operator: String,
    terminal: String,
    /// Unsigned, fen.
    amount: i64,
    /// A cost is more than 0; given back on a refund is less.
    fee: i64,
    per_million: i64,
}

/// Gathers rows until a Beijing day is over, then writes its bills.
pub struct BillBook {
    script: Script,
    /// The first day whose bill would be whole.
    first: NaiveDate,
    next: NaiveDate,
    rows: BTreeMap<(NaiveDate, usize, &'static str), (StoreId, Vec<BillRow>)>,
    /// Provider ids of paid payments, for the refunds that name them.
    paid: BTreeMap<String, Paid>,
    /// What the providers pay out, by the day on which it arrives and the store.
    arriving: BTreeMap<(NaiveDate, usize), Vec<Payout>>,
    /// At the bank at the end of the last day, fen.
    balances: [i64; 2],
}

/// Money that a provider pays out for one Beijing day.
#[derive(Clone, Debug)]
struct Payout {
    lane: &'static Lane,
    of: NaiveDate,
    store: StoreId,
    /// Fen.
    net: i64,
}

/// What lay at each bank before the history, fen.
const OPENING: [i64; 2] = [18_650_000, 9_320_000];

#[derive(Clone, Debug)]
struct Paid {
    provider_id: String,
    created: Instant,
    title: String,
    scene: Scene,
    bank: String,
    per_million: i64,
}

/// What a provider charges in one store on a Beijing day, in millionths: the contract, but for what is planted.
pub fn charged_per_million(shop: usize, rail: Rail, day: NaiveDate, script: &Script) -> i64 {
    match (shop, rail) {
        (SHANGHAI, Rail::WeChatPay) if day >= script.raised_from => 6_000,
        (SHANGHAI, Rail::Alipay) => 6_000,
        _ => 3_800,
    }
}

impl BillBook {
    /// A book whose first whole day is `first`.
    pub fn new(script: &Script, first: NaiveDate) -> Self {
        Self {
            script: script.clone(),
            first,
            next: first,
            rows: BTreeMap::new(),
            paid: BTreeMap::new(),
            arriving: BTreeMap::new(),
            balances: OPENING,
        }
    }

    /// Notes what the provider will bill of this record.
    pub fn take(&mut self, draft: &Draft) {
        let Some(lane) = billed_lane(draft) else { return };
        let Some(billed_at) = draft.billed_at() else { return };
        let row = match draft.record.kind {
            Kind::Payment => self.payment_row(draft, billed_at),
            Kind::Refund => self.refund_row(draft, billed_at),
            _ => None,
        };
        let Some(row) = row else { return };
        let key = (beijing_day(billed_at), draft.shop, lane.provider);
        self.rows.entry(key).or_insert_with(|| (draft.record.store, Vec::new())).1.push(row);
    }

    fn payment_row(&mut self, draft: &Draft, billed_at: Instant) -> Option<BillRow> {
        let record = &draft.record;
        let unheard = draft.paid_unheard.as_ref().map(|(id, _)| id.clone());
        let paid = Paid {
            provider_id: unheard.or_else(|| record.provider_transaction_id.clone())?,
            created: record.created_at,
            title: record.items.first().and_then(|item| item.name.clone()).unwrap_or_default(),
            scene: record.scene.unwrap_or(Scene::Other),
            bank: record.method_detail.bank.clone().unwrap_or_default(),
            per_million: charged_per_million(draft.shop, draft.rail, beijing_day(billed_at), &self.script),
        };
        let row = row_of(draft, &paid, billed_at, None);
        self.paid.insert(record.transaction_id.clone(), paid);
        Some(row)
    }

    fn refund_row(&mut self, draft: &Draft, billed_at: Instant) -> Option<BillRow> {
        let parent = draft.record.parent_transaction_id.as_ref()?;
        let paid = self.paid.get(parent)?;
        let own = draft.record.provider_transaction_id.clone().unwrap_or_default();
        Some(row_of(draft, paid, billed_at, Some((own, draft.record.transaction_id.clone()))))
    }

    /// The bills that are whole once the business day `made` is made, and could be had at the end.
    pub fn close(&mut self, made: NaiveDate) -> Vec<BillFile> {
        let mut files = Vec::new();
        while self.next <= made {
            let day = self.next;
            self.next = day + Days::new(1);
            for shop in [SHANGHAI, CHENGDU] {
                for lane in SHOPS[shop].lanes.iter().filter(|lane| is_billed(lane)) {
                    let Some((store, rows)) = self.rows.remove(&(day, shop, lane.provider)) else { continue };
                    self.pay_out(shop, Payout { lane, of: day, store, net: net_of(&rows) });
                    if self.has_come(day, shop, lane) {
                        files.push(written(day, shop, lane, store, rows));
                    }
                }
                files.extend(self.statement(shop, day));
            }
        }
        files
    }

    /// Notes when the money of a Beijing day arrives: on the next working day, but for what is planted.
    fn pay_out(&mut self, shop: usize, mut payout: Payout) {
        let mut cycle = 1;
        match (shop, payout.lane.rail) {
            (SHANGHAI, Rail::Alipay) if payout.of == self.script.late_payout => cycle += LATE_WORKING_DAYS,
            (CHENGDU, Rail::WeChatPay) if payout.of == self.script.short_payout => payout.net -= SHORT_FEN,
            _ => {}
        }
        // The money of days before the history would belong to no bill.
        if payout.of >= self.first {
            let on = due_after(payout.of, cycle, true);
            self.arriving.entry((on, shop)).or_default().push(payout);
        }
    }

    /// The bank's statement of a day, if it was there before the end of the history.
    fn statement(&mut self, shop: usize, day: NaiveDate) -> Option<BillFile> {
        let payouts = self.arriving.remove(&(day, shop))?;
        let store = payouts.first()?.store;
        let mut bookings = arrivals(&payouts);
        bookings.extend(expenses(shop, day));
        let opening = self.balances[shop];
        self.balances[shop] += bookings.iter().map(|booking| booking.fen).sum::<i64>();
        let account = bank::ACCOUNTS[shop];
        let (name, bytes) = bank::statement(account, day, opening, &bookings);
        (bill_ready_at(day) <= self.script.until).then_some(BillFile {
            store,
            provider: "bank",
            account,
            day,
            name,
            bytes,
        })
    }

    /// True when the bill could be fetched before the end of the history, and was.
    fn has_come(&self, day: NaiveDate, shop: usize, lane: &Lane) -> bool {
        let missing = shop == CHENGDU && lane.rail == Rail::Alipay && day == self.script.missing_bill;
        day >= self.first && bill_ready_at(day) <= self.script.until && !missing
    }
}

fn written(
    day: NaiveDate,
    shop: usize,
    lane: &'static Lane,
    store: StoreId,
    mut rows: Vec<BillRow>,
) -> BillFile {
    rows.sort_by(|a, b| (a.completed, &a.order_id, &a.refund).cmp(&(b.completed, &b.order_id, &b.refund)));
    let (name, bytes) = match lane.rail {
        Rail::Alipay => alipay::bill(lane.account, &SHOPS[shop], day, &rows),
        _ => wechat_pay::bill(lane.account, day, &rows),
    };
    BillFile { store, provider: lane.provider, account: lane.account, day, name, bytes }
}

/// What a day's rows leave for the shop, fen.
fn net_of(rows: &[BillRow]) -> i64 {
    let signed = |row: &BillRow| if row.refund.is_some() { -row.amount } else { row.amount };
    rows.iter().map(|row| signed(row) - row.fee).sum()
}

/// The bank's lines for what arrives on one day: WeChat Pay sends the days of a weekend together, Alipay each by itself.
fn arrivals(payouts: &[Payout]) -> Vec<Booking> {
    let of = |rail: Rail| payouts.iter().filter(move |payout| payout.lane.rail == rail && payout.net > 0);
    let together: i64 = of(Rail::WeChatPay).map(|payout| payout.net).sum();
    let wechat = of(Rail::WeChatPay).next().map(|payout| Booking {
        fen: together,
        text: format!("财付通支付科技有限公司 商户结算款 {}", payout.lane.account),
    });
    let alipay = of(Rail::Alipay).map(|payout| Booking {
        fen: payout.net,
        text: format!(
            "支付宝（中国）网络技术有限公司 商家结算 {} {}",
            payout.lane.account,
            payout.of.format("%Y%m%d")
        ),
    });
    wechat.into_iter().chain(alipay).collect()
}

/// What the shop pays by bank: wages, rent, goods. No business of its payments, and no finding.
fn expenses(shop: usize, day: NaiveDate) -> Vec<Booking> {
    let booking = |fen: i64, text: &str| Booking {
        fen: -fen * (3 - i64::try_from(shop).unwrap_or(0)) / 3,
        text: text.to_owned(),
    };
    let mut paid = Vec::new();
    match day.day() {
        10 => paid.push(booking(6_840_000, "代发工资")),
        5 => paid.push(booking(3_200_000, "商铺租金")),
        _ => {}
    }
    if day.weekday() == Weekday::Wed {
        paid.push(booking(12_500_000, "货款 江南茶业有限公司"));
    }
    paid
}

fn is_billed(lane: &Lane) -> bool {
    matches!(lane.provider, "wechat_pay" | "alipay")
}

fn billed_lane(draft: &Draft) -> Option<&'static Lane> {
    SHOPS[draft.shop].lanes.iter().find(|lane| lane.rail == draft.rail && is_billed(lane))
}

fn row_of(draft: &Draft, paid: &Paid, billed_at: Instant, refund: Option<(String, String)>) -> BillRow {
    let record = &draft.record;
    let amount = record.amount.minor();
    let share = share_half_up(amount, paid.per_million);
    debug_assert!(refund.is_none() || record.status == Status::Succeeded);
    BillRow {
        completed: billed_at.with_timezone(&BEIJING).naive_local(),
        created: paid.created.with_timezone(&BEIJING).naive_local(),
        order_id: record.order_id.clone().unwrap_or_default(),
        provider_id: paid.provider_id.clone(),
        fee: if refund.is_some() { -share } else { share },
        refund,
        customer: record.customer.clone().unwrap_or_default(),
        scene: paid.scene,
        bank: paid.bank.clone(),
        title: paid.title.clone(),
        operator: record.operator.clone().unwrap_or_default(),
        terminal: record.terminal.clone().unwrap_or_default(),
        amount,
        per_million: paid.per_million,
    }
}

/// Fen as yuan with two decimals.
fn yuan(fen: i64) -> String {
    let sign = if fen < 0 { "-" } else { "" };
    let fen = fen.unsigned_abs();
    format!("{sign}{}.{:02}", fen / 100, fen % 100)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::{Cursor, Read as _};

    use super::super::history::{History, Outline};
    use super::*;
    use crate::domain::Transaction;

    fn history() -> (BTreeMap<String, Transaction>, Vec<BillFile>) {
        let until = "2026-11-25T06:30:00Z".parse().expect("an instant");
        let stores = [StoreId(1), StoreId(2), StoreId(3)];
        let (mut paid, mut bills) = (BTreeMap::new(), Vec::new());
        for bundle in History::of(Outline { seed: 5, days: 3, until, stores }) {
            bills.extend(bundle.bills);
            let posted = bundle.transactions.into_iter().filter(|one| one.status == Status::Succeeded);
            paid.extend(posted.map(|one| (one.provider_transaction_id.clone().unwrap_or_default(), one)));
        }
        (paid, bills)
    }

    #[test]
    fn a_wechat_pay_bill_says_what_the_live_feed_said() {
        let (paid, bills) = history();
        let mut found = 0;
        for bill in bills.iter().filter(|bill| bill.provider == "wechat_pay") {
            let text = std::str::from_utf8(&bill.bytes).expect("UTF-8");
            let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split(",`").collect()).collect();
            let mut fees = 0;
            for cells in &lines[1..lines.len() - 2] {
                assert_eq!(cells.len(), 27, "{cells:?}");
                let fen = |cell: &str| cell.replace(['.', '-'], "").parse::<i64>().expect("digits");
                fees += if cells[22].starts_with('-') { -fen(cells[22]) } else { fen(cells[22]) };
                let Some(known) = paid.get(cells[5]).filter(|_| cells[9] == "SUCCESS") else { continue };
                assert_eq!(known.amount.minor(), fen(cells[24]));
                assert_eq!(known.order_id.as_deref(), Some(cells[6]));
                assert_eq!(beijing_day(known.completed_at.expect("paid")), bill.day);
                found += 1;
            }
            let summary = lines.last().expect("a summary");
            assert_eq!(summary[0].trim_start_matches('`'), (lines.len() - 3).to_string());
            assert_eq!(summary[4].replace('.', "").parse::<i64>().expect("digits"), fees);
        }
        assert!(found > 3_000, "{found}");
    }

    /// Opening and closing balance of a statement, and its text.
    fn balances(bill: &BillFile) -> (String, String, String) {
        let text = String::from_utf8(bill.bytes.clone()).expect("UTF-8");
        let of = |code: &str| {
            let rest = text.split(code).nth(1).and_then(|rest| rest.split("\"CNY\">").nth(1));
            rest.and_then(|rest| rest.split('<').next()).expect("a balance").to_owned()
        };
        (of("OPBD"), of("CLBD"), text.clone())
    }

    #[test]
    fn each_statement_of_a_bank_begins_where_the_last_one_ended_and_one_payout_is_late() {
        let until: Instant = "2026-11-25T06:30:00Z".parse().expect("an instant");
        let script = Script::until(until);
        let stores = [StoreId(1), StoreId(2), StoreId(3)];
        let history = History::of(Outline { seed: 5, days: 14, until, stores });
        let bills: Vec<BillFile> = history.flat_map(|bundle| bundle.bills).collect();
        for account in bank::ACCOUNTS {
            let of: Vec<_> = bills.iter().filter(|bill| bill.account == account).map(balances).collect();
            assert!(of.len() > 6, "{}", of.len());
            assert!(of.windows(2).all(|pair| pair[0].1 == pair[1].0), "a balance jumps");
        }
        let line = format!(" {}<", script.late_payout.format("%Y%m%d"));
        let shanghai = bills.iter().filter(|bill| bill.account == bank::ACCOUNTS[SHANGHAI]);
        let came: Vec<NaiveDate> =
            shanghai.filter(|bill| balances(bill).2.contains(&line)).map(|bill| bill.day).collect();
        assert_eq!(came, [due_after(script.late_payout, 1 + LATE_WORKING_DAYS, true)]);
        assert!(came[0] > due_after(script.late_payout, 1, true));
    }

    #[test]
    fn an_alipay_bill_is_a_zip_with_names_and_text_in_gbk() {
        let (_, bills) = history();
        let bill = bills.iter().find(|bill| bill.provider == "alipay").expect("a bill");
        let mut archive = zip::ZipArchive::new(Cursor::new(&bill.bytes)).expect("a zip");
        assert_eq!(archive.len(), 2);
        let mut entry = archive.by_index(1).expect("the detail");
        let name = encoding_rs::GB18030.decode(entry.name_raw()).0.into_owned();
        assert!(name.ends_with("_业务明细.csv"), "{name}");
        let mut content = Vec::new();
        entry.read_to_end(&mut content).expect("readable, with the right checksum");
        let (text, _, garbled) = encoding_rs::GB18030.decode(&content);
        assert!(!garbled && text.starts_with("#支付宝业务明细查询\n#账号：[2088"));
        let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("20")).collect();
        assert!(rows.len() > 300 && rows.iter().all(|row| row.split(',').count() == 25), "{}", rows[0]);
        let refunds = rows.iter().filter(|row| row.contains("\t,退款\t")).count();
        assert!(text.contains(&format!("#交易合计：{}笔", rows.len() - refunds)));
        assert!(text.contains(&format!("#退款合计：{refunds}笔")));
    }
}
