mod alipay;
mod archive;
mod wechat_pay;

use std::collections::BTreeMap;

use chrono::{Days, NaiveDate, NaiveDateTime};

use super::order::Draft;
use super::rails::share_half_up;
use super::script::{BEIJING, CHENGDU, SHANGHAI, Script, beijing_day, bill_ready_at};
use super::shops::{Lane, Rail, SHOPS};
use crate::domain::{Instant, Kind, Scene, Status, StoreId};

/// One trade bill, as the provider's site gives it away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BillFile {
    pub store: StoreId,
    pub provider: &'static str,
    /// The provider's merchant id.
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
}

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
        Self { script: script.clone(), first, next: first, rows: BTreeMap::new(), paid: BTreeMap::new() }
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
                    if self.has_come(day, shop, lane) {
                        files.push(written(day, shop, lane, store, rows));
                    }
                }
            }
        }
        files
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
