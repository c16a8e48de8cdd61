//! A seeded year: 200 stores of very unequal size, six methods, thirty categories.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use tillwatch::domain::{
    Currency, FailureClass, Item, Kind, MethodDetail, Money, RecordKey, Risk, Scene, Status, StoreId, Stored,
    Transaction, Word,
};

pub const STORES: usize = 200;
pub const DAYS: u64 = 365;
/// Rows made at once: one batch of the inbox.
pub const CHUNK: usize = 65_536;

const METHODS: [(&str, &str); 6] = [
    ("wechat_pay", "wechat_pay"),
    ("alipay", "alipay"),
    ("stripe", "card"),
    ("unionpay", "unionpay"),
    ("", "cash"),
    ("pboc", "e_cny"),
];
const SCENES: [Scene; 5] = [Scene::StaticQr, Scene::Scanner, Scene::MiniProgram, Scene::H5, Scene::App];
const PROMOTIONS: [&str; 4] = ["SPRING", "NEW-CUSTOMER", "LUNCH", "DOUBLE-11"];
const CODES: [(&str, FailureClass); 8] = [
    ("NOTENOUGH", FailureClass::Customer),
    ("USER_PAYING_TIMEOUT", FailureClass::Customer),
    ("insufficient_funds", FailureClass::Issuer),
    ("do_not_honor", FailureClass::Issuer),
    ("SYSTEMERROR", FailureClass::Technical),
    ("processing_error", FailureClass::Technical),
    ("fraudulent", FailureClass::Risk),
    ("PARAM_ERROR", FailureClass::Merchant),
];

/// SplitMix64: the same year for the same seed on every machine.
pub struct Dice(u64);

impl Dice {
    pub const fn of(seed: u64) -> Self {
        Self(seed)
    }

    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// 0 to `below` − 1.
    pub fn under(&mut self, below: u64) -> u64 {
        self.next() % below.max(1)
    }

    fn percent(&mut self, share: u64) -> bool {
        self.under(100) < share
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[usize::try_from(self.under(of.len() as u64)).unwrap_or(0)]
    }
}

/// Rows of each store on one day: a Zipf law, so the largest store has a sixth of all.
pub fn rows_of_stores(rows_a_day: u64) -> Vec<u64> {
    let weights: Vec<u64> = (1..=STORES as u64).map(|rank| 1_000_000 / rank).collect();
    let all: u64 = weights.iter().sum();
    weights.iter().map(|weight| (rows_a_day * weight).div_ceil(all).max(1)).collect()
}

/// The first day of the year, UTC.
pub fn first_day() -> NaiveDate {
    NaiveDate::from_ymd_opt(2025, 1, 1).unwrap_or_default()
}

/// The rows of one UTC day by store, handed on in chunks.
pub fn day(
    day: NaiveDate,
    stores: &[StoreId],
    rows_a_day: u64,
    mut take: impl FnMut(Vec<Stored<Transaction>>),
) {
    let seed = day.signed_duration_since(first_day()).num_days().unsigned_abs();
    let mut dice = Dice::of(seed.wrapping_mul(0x5851_F42D_4C95_7F2D));
    let mut chunk = Vec::with_capacity(CHUNK);
    for (store, rows) in stores.iter().zip(rows_of_stores(rows_a_day)) {
        let mut times: Vec<i64> = (0..rows).map(|_| millisecond(&mut dice)).collect();
        times.sort_unstable();
        let begin = day.and_time(chrono::NaiveTime::MIN).and_utc();
        let mut open_order: Option<String> = None;
        for ms in times {
            let at = begin + TimeDelta::milliseconds(ms);
            chunk.push(row(&mut dice, *store, rows, day, at, &mut open_order));
            if chunk.len() == CHUNK {
                take(std::mem::replace(&mut chunk, Vec::with_capacity(CHUNK)));
            }
        }
    }
    if !chunk.is_empty() {
        take(chunk);
    }
}

/// A moment of the day; shops in China are busy at noon and in the evening (04:00 and 11:00 UTC).
fn millisecond(dice: &mut Dice) -> i64 {
    let hour = if dice.percent(60) { dice.pick(&[3, 4, 5, 10, 11, 12]) } else { dice.under(24) };
    i64::try_from(hour * 3_600_000 + dice.under(3_600_000)).unwrap_or(0)
}

fn hex(dice: &mut Dice) -> String {
    format!("{:016x}{:016x}", dice.next(), dice.next())
}

#[expect(clippy::too_many_lines, reason = "one line a field")]
fn row(
    dice: &mut Dice,
    store: StoreId,
    rows: u64,
    day: NaiveDate,
    at: DateTime<Utc>,
    open_order: &mut Option<String>,
) -> Stored<Transaction> {
    let (provider, method) = METHODS[usize::try_from(dice.under(11).min(dice.under(11)) / 2).unwrap_or(0)];
    let kind = if dice.percent(4) { Kind::Refund } else { Kind::Payment };
    let status = match dice.under(1000) {
        _ if kind == Kind::Refund => Status::Succeeded,
        0..900 => Status::Succeeded,
        900..960 => Status::Failed,
        960..980 => Status::Expired,
        980..995 => Status::Cancelled,
        _ => Status::Blocked,
    };
    let posted = status == Status::Succeeded;
    let amount = i64::try_from(100 + dice.under(200) * dice.under(200)).unwrap_or(100);
    let order = open_order.take().unwrap_or_else(|| format!("o{:012x}", dice.next() >> 16));
    if status == Status::Failed && dice.percent(50) {
        *open_order = Some(order.clone());
    }
    let octave = 8 + dice.under(8);
    let latency = 800 + dice.under(1 << octave);
    let failure = (status == Status::Failed).then(|| dice.pick(&CODES));
    let transaction_id = hex(dice);
    let key = RecordKey { high: dice.next(), low: dice.next() };
    let record = Transaction {
        created_at: at,
        kind,
        status,
        amount: Money::from_minor(amount, Currency::CNY).unwrap_or_else(|_| unreachable!("a small amount")),
        store,
        account: "default".into(),
        provider: (!provider.is_empty()).then(|| Word::of(provider)),
        method: Some(Word::of(method)),
        aggregator: None,
        method_detail: MethodDetail::default(),
        scene: Some(dice.pick(&SCENES)),
        device: None,
        operator: Some(format!("c{}", dice.under(4))),
        terminal: None,
        shift: None,
        source: None,
        campaign: None,
        promotion: dice.percent(10).then(|| dice.pick(&PROMOTIONS).to_owned()),
        order_id: Some(order),
        payment_id: None,
        attempt: None,
        parent_transaction_id: None,
        provider_transaction_id: Some(format!(
            "42{:08}{:018}",
            day.format("%Y%m%d"),
            dice.next() % 10_u64.pow(18)
        )),
        subscription_id: None,
        submitted_at: None,
        authorized_at: None,
        completed_at: posted.then(|| at + TimeDelta::milliseconds(i64::try_from(latency).unwrap_or(0))),
        settled_on: None,
        updated_at: None,
        failure_code: failure.map(|(code, _)| code.to_owned()),
        failure_message: None,
        failure_class: failure.map(|(_, class)| class),
        list_amount: None,
        discount_merchant: dice.percent(10).then_some(50),
        discount_platform: None,
        tax: None,
        fee: (posted && !provider.is_empty()).then(|| (amount * 6 + 500) / 1000),
        fee_refunded: None,
        // Customers come back: a shop has some ten thousand for each thousand payments a day.
        customer: dice.percent(80).then(|| format!("{:016x}{:016x}", store.0, dice.under(rows * 10))),
        payment_fingerprint: None,
        ip: None,
        items: items(dice, amount),
        risk: Risk::default(),
        attributes: Vec::new(),
        test: false,
        transaction_id,
    };
    let received_at = at + TimeDelta::seconds(90);
    Stored { record, key, row_hash: dice.next(), witness: false, feed: Word::of("api"), received_at }
}

fn items(dice: &mut Dice, amount: i64) -> Vec<Item> {
    let lines = 1 + dice.under(2);
    (0..lines)
        .map(|line| {
            let category = dice.under(30).min(dice.under(30));
            let product = dice.under(5);
            let whole = amount / i64::try_from(lines).unwrap_or(1);
            let rest = amount - whole * i64::try_from(lines).unwrap_or(1);
            Item {
                sku: Some(format!("p{category:02}{product}")),
                name: Some(format!("Product {category}.{product}")),
                category: Some(format!("category-{category:02}")),
                quantity: (1 + dice.under(3)).into(),
                unit_amount: None,
                discount: None,
                line_amount: if line == 0 { whole + rest } else { whole },
            }
        })
        .collect()
}
