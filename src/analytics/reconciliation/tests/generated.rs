//! Books as a small chain keeps them, with the faults that happen to it.

use super::*;

/// Numbers that follow from a seed.
pub struct Shuffle(u64);

impl Shuffle {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(limit.max(1)).unwrap()).unwrap()
    }

    pub fn amount(&mut self, least: i64, most: i64) -> i64 {
        least + i64::try_from(self.below(usize::try_from(most - least).unwrap())).unwrap()
    }

    pub fn shuffle<T>(&mut self, of: &mut [T]) {
        for place in (1..of.len()).rev() {
            of.swap(place, self.below(place + 1));
        }
    }
}

#[derive(Clone)]
pub struct Generated {
    pub rules: Rules,
    pub shop: Vec<Entry>,
    pub lines: Vec<Entry>,
    pub planted: BTreeSet<(Class, String)>,
    pub planted_payouts: BTreeSet<(String, Arrival, bool)>,
}

impl Generated {
    /// The rows that a day is reconciled from, as the reader hands them on.
    pub fn rows_of(&self, day: NaiveDate) -> (Vec<Entry>, Vec<Entry>) {
        let shop = self.shop.iter().filter(|entry| {
            let age = (day - entry.day).num_days();
            age == 0 || (entry.standing != Standing::Posted && (0..=2).contains(&age))
        });
        (shop.cloned().collect(), self.lines.iter().filter(|line| line.day == day).cloned().collect())
    }

    pub fn days(&self) -> Vec<NaiveDate> {
        let days: BTreeSet<NaiveDate> = self.shop.iter().chain(&self.lines).map(|entry| entry.day).collect();
        days.into_iter().collect()
    }

    pub fn rows(&self) -> usize {
        self.shop.len() + self.lines.len()
    }

    pub fn shuffled(&self, seed: u64) -> Self {
        let mut other = self.clone();
        Shuffle::new(seed + 77).shuffle(&mut other.shop);
        Shuffle::new(seed + 78).shuffle(&mut other.lines);
        other
    }

    pub fn half_of_the_lines(&self) -> Self {
        let lines = self.lines.iter().enumerate().filter(|(place, _)| place % 2 == 0);
        Self { lines: lines.map(|(_, line)| line.clone()).collect(), ..self.clone() }
    }

    /// Posted records less posted lines of sales, refunds and disputes, by currency, from the rows alone.
    pub fn differences(&self) -> BTreeMap<Currency, i128> {
        let mut sums: BTreeMap<Currency, i128> = BTreeMap::new();
        let posted =
            |entry: &&Entry| entry.standing == Standing::Posted && !entry.witness && entry.kind.is_compared();
        for entry in self.shop.iter().filter(posted) {
            *sums.entry(entry.currency).or_default() += i128::from(entry.signed());
        }
        for entry in self.lines.iter().filter(posted) {
            *sums.entry(entry.currency).or_default() -= i128::from(entry.signed());
        }
        sums
    }
}

fn store(id: i64) -> Store {
    Store {
        id: StoreId(id),
        organisation: OrganisationId(1),
        slug: format!("s{id}"),
        name: format!("S{id}"),
        zone: Tz::Asia__Shanghai,
        cut_off: NaiveTime::MIN,
        week_start: Weekday::Mon,
        currency: Currency::CNY,
        language: "en".into(),
    }
}

fn rules() -> Rules {
    let usual = |store, rail: &str, account: &str| {
        AccountRules::usual(StoreId(store), Word::of(rail), Word::of(account))
    };
    let wechat = AccountRules { bank_text: "财付通".into(), ..usual(1, "wechat_pay", "M1") };
    let alipay = AccountRules { tolerance_minor: 1, ..usual(1, "alipay", "default") };
    let bank = AccountRules { reference: "SO-#+".into(), ..usual(3, "bank", "default") };
    let contract = ContractRate {
        store: StoreId(1),
        provider: Word::of("alipay"),
        method: None,
        valid_from: day("2026-01-01"),
        valid_until: None,
        rate_ppm: 5_500,
        fixed_minor: 0,
        rounding: Rounding::HalfUp,
    };
    Rules {
        accounts: vec![wechat, alipay, bank],
        contracts: vec![contract],
        stores: (1..=3).map(store).collect(),
    }
}

/// Writes both sides of what happens.
struct Writer {
    random: Shuffle,
    next: u64,
    world: Generated,
    day: NaiveDate,
}

impl Writer {
    fn new(seed: u64) -> Self {
        let world = Generated {
            rules: rules(),
            shop: Vec::new(),
            lines: Vec::new(),
            planted: BTreeSet::new(),
            planted_payouts: BTreeSet::new(),
        };
        Self { random: Shuffle::new(seed), next: 1_000_000, world, day: day("2026-11-02") }
    }

    fn entry(&mut self, store: i64, rail: &str, account: &str, amount: i64) -> Entry {
        self.next += 1;
        let number = self.next;
        // From one in the morning to ten at night in Beijing.
        let minutes = i64::try_from(self.random.below(21 * 60)).unwrap() + 60;
        let at =
            self.day.and_time(NaiveTime::MIN).and_utc() - TimeDelta::hours(8) + TimeDelta::minutes(minutes);
        let id = format!("SO-{number}");
        Entry {
            key: RecordKey::of(StoreId(store), "shop", rail, &id, self.day),
            store: StoreId(store),
            rail: Word::of(rail),
            account: Word::of(account),
            day: self.day,
            at_ms: at.timestamp_millis(),
            filed: at.date_naive(),
            kind: EntryKind::Sale,
            inward: true,
            standing: Standing::Posted,
            witness: false,
            currency: Currency::CNY,
            amount,
            settled: None,
            fee: None,
            net: None,
            fee_rate_ppm: None,
            method: Word::of(rail),
            id: format!("t{number}"),
            provider_id: format!("42000{number:023}"),
            order_id: id,
            payment_id: String::new(),
            merchant_refund_id: String::new(),
            payout_id: String::new(),
            terminal: String::new(),
            text: String::new(),
        }
    }

    /// The line of a record, at 0.6 %.
    fn line(&mut self, of: &Entry) -> Entry {
        self.next += 1;
        let fee = if of.kind == EntryKind::Sale { (of.amount * 6 + 500) / 1_000 } else { 0 };
        Entry {
            key: RecordKey::of(of.store, "line", &of.id, &self.next.to_string(), of.day),
            fee: Some(fee),
            net: Some(of.signed() - fee),
            fee_rate_ppm: (of.kind == EntryKind::Sale).then_some(6_000),
            id: format!("l{}", self.next),
            standing: Standing::Posted,
            ..of.clone()
        }
    }

    fn both(&mut self, record: Entry, line: Entry) {
        self.world.shop.push(record);
        self.world.lines.push(line);
    }

    fn plant(&mut self, class: Class, record: &Entry) {
        self.world.planted.insert((class, record.order_id.clone()));
    }

    fn wechat(&mut self) -> (Entry, Entry) {
        // Two stores under one merchant number; its bill comes in under the first.
        let store = if self.random.below(3) == 0 { 2 } else { 1 };
        let amount = self.random.amount(100, 90_000);
        let record = self.entry(store, "wechat_pay", if store == 2 { "M1" } else { "default" }, amount);
        let mut line = self.line(&record);
        line.store = StoreId(1);
        line.account = Word::of("M1");
        (record, line)
    }

    fn alipay(&mut self) -> (Entry, Entry) {
        let amount = self.random.amount(100, 90_000);
        let record = self.entry(1, "alipay", "2088", amount);
        let mut line = self.line(&record);
        let fee = (amount * 55 + 5_000) / 10_000;
        line.fee = Some(fee);
        line.net = Some(amount - fee);
        line.fee_rate_ppm = None;
        (record, line)
    }

    fn usual_day(&mut self) {
        for _ in 0..90 {
            let (mut record, line) = self.wechat();
            match self.random.below(4) {
                // The shop may know the provider's number, or only its own order.
                0 => record.provider_id.clear(),
                1 => record.order_id.clear(),
                _ => {}
            }
            if self.random.below(8) == 0 && !record.order_id.is_empty() {
                let mut failed = self.entry(record.store.0, "wechat_pay", "default", record.amount);
                failed.standing = Standing::Dead;
                failed.provider_id.clear();
                failed.order_id.clone_from(&record.order_id);
                self.world.shop.push(failed);
            }
            self.both(record, line);
        }
        for _ in 0..40 {
            let (record, line) = self.alipay();
            self.both(record, line);
        }
        self.refunds();
        self.stripe();
        self.cash();
        self.by_transfer();
        self.usdt();
        for _ in 0..3 {
            let amount = self.random.amount(100, 5_000);
            let record = self.entry(1, "stored_value", "default", amount);
            self.world.shop.push(record);
        }
    }

    /// Several refunds of one payment, of equal amounts too; and one line for the sum of two.
    fn refunds(&mut self) {
        let (record, line) = self.wechat();
        for (place, amount) in [30, 30, 40].into_iter().enumerate() {
            let mut refund = self.entry(record.store.0, "wechat_pay", "default", amount);
            refund.kind = EntryKind::Refund;
            refund.inward = false;
            refund.order_id.clone_from(&record.order_id);
            if place == 2 {
                refund.provider_id.clear();
            }
            let mut refunded = self.line(&refund);
            refunded.account = Word::of("M1");
            refunded.store = StoreId(1);
            self.both(refund, refunded);
        }
        self.both(record, line);
        let (record, line) = self.alipay();
        let mut sum = self.line(&record);
        sum.kind = EntryKind::Refund;
        sum.inward = false;
        sum.amount = 70;
        sum.fee = Some(0);
        sum.net = Some(-70);
        sum.fee_rate_ppm = None;
        sum.provider_id = format!("batch{}", self.next);
        for amount in [20, 50] {
            let mut refund = self.entry(1, "alipay", "2088", amount);
            refund.kind = EntryKind::Refund;
            refund.inward = false;
            refund.provider_id.clear();
            refund.order_id.clone_from(&record.order_id);
            self.world.shop.push(refund);
        }
        self.world.lines.push(sum);
        self.both(record, line);
    }

    fn stripe(&mut self) {
        let payout_id = format!("po_{}", self.day.format("%Y%m%d"));
        let mut sum = 0;
        for _ in 0..12 {
            let amount = self.random.amount(500, 50_000);
            let mut record = self.entry(3, "stripe", "acct_1", amount);
            record.currency = Currency::parse("USD").unwrap();
            record.provider_id = format!("ch_{}", self.next);
            let mut line = self.line(&record);
            line.payout_id.clone_from(&payout_id);
            sum += line.net.unwrap();
            self.both(record, line);
        }
        self.bank_line("USD", sum, &format!("STRIPE {payout_id}"));
    }

    fn bank_line(&mut self, currency: &str, amount: i64, text: &str) -> usize {
        let mut line = self.entry(3, "bank", "62170001", amount);
        line.day = due_after(self.day, 1, true);
        line.currency = Currency::parse(currency).unwrap();
        line.order_id.clear();
        line.provider_id.clear();
        text.clone_into(&mut line.text);
        line.key = RecordKey::of(line.store, "bank", text, &line.id, line.day);
        self.world.lines.push(line);
        self.world.lines.len() - 1
    }

    fn cash(&mut self) {
        for terminal in ["till-1", "till-2"] {
            let mut sum = 0;
            for _ in 0..6 {
                let amount = self.random.amount(100, 20_000);
                let mut record = self.entry(1, "cash", "default", amount);
                record.provider_id.clear();
                terminal.clone_into(&mut record.terminal);
                if self.random.below(6) == 0 {
                    record.kind = EntryKind::Refund;
                    record.inward = false;
                }
                sum += record.signed();
                self.world.shop.push(record);
            }
            self.close_out(terminal, sum);
        }
    }

    fn close_out(&mut self, terminal: &str, sum: i64) {
        let mut line = self.entry(1, "cash", "default", sum.abs());
        line.inward = sum >= 0;
        line.key = RecordKey::of(StoreId(1), "close", terminal, &self.day.to_string(), self.day);
        line.order_id.clear();
        line.provider_id.clear();
        terminal.clone_into(&mut line.terminal);
        self.world.lines.push(line);
    }

    fn by_transfer(&mut self) {
        let amount = self.random.amount(10_000, 900_000);
        let mut record = self.entry(3, "bank", "default", amount);
        record.provider_id.clear();
        let mut line = self.entry(3, "bank", "62170001", amount);
        line.provider_id.clear();
        line.order_id.clear();
        line.text = format!("货款 {} 谢谢", record.order_id.to_lowercase());
        line.key = RecordKey::of(StoreId(3), "bank", &line.text, "", self.day);
        self.both(record, line);
    }

    fn usdt(&mut self) {
        let amount = self.random.amount(1_000_000, 900_000_000);
        let mut record = self.entry(3, "trc20", "TXowner", amount);
        record.currency = Currency::parse("USDT").unwrap();
        let mut line = self.line(&record);
        line.fee = None;
        line.net = None;
        line.fee_rate_ppm = None;
        line.order_id.clear();
        self.both(record, line);
    }

    fn faults(&mut self) {
        let (record, mut line) = self.wechat();
        line.amount += 100;
        line.fee_rate_ppm = None;
        self.plant(Class::AmountDiffers, &record);
        self.both(record, line);
        let (record, mut line) = self.wechat();
        line.fee = line.fee.map(|fee| fee + 50);
        line.net = line.net.map(|net| net - 50);
        self.plant(Class::FeeDiffers, &record);
        self.both(record, line);
        let (record, mut line) = self.alipay();
        line.fee = line.fee.map(|fee| fee + 20);
        line.net = line.net.map(|net| net - 20);
        self.plant(Class::FeeDiffers, &record);
        self.both(record, line);
        let (record, mut line) = self.alipay();
        line.currency = Currency::parse("HKD").unwrap();
        self.plant(Class::CurrencyDiffers, &record);
        self.both(record, line);
        let (record, _) = self.wechat();
        self.plant(Class::OnlyShop, &record);
        self.world.shop.push(record);
        let (record, line) = self.alipay();
        self.plant(Class::OnlyBill, &record);
        self.world.lines.push(line);
        let (mut record, line) = self.wechat();
        record.standing = Standing::Dead;
        record.provider_id.clear();
        self.plant(Class::PaidUnknown, &record);
        self.both(record, line);
        let (record, line) = self.wechat();
        let mut again = self.line(&record);
        again.store = StoreId(1);
        again.account = Word::of("M1");
        again.provider_id = format!("42000{:023}", self.next);
        self.plant(Class::Duplicate, &record);
        self.world.lines.push(again);
        self.both(record, line);
        let (record, mut line) = self.alipay();
        line.amount += 1;
        self.plant(Class::Tolerance, &record);
        self.both(record, line);
        self.slow_faults();
        self.without_a_bill();
    }

    fn slow_faults(&mut self) {
        let (mut record, _) = self.wechat();
        record.kind = EntryKind::Refund;
        record.inward = false;
        let mut pending = self.line(&record);
        pending.standing = Standing::UnderWay;
        pending.account = Word::of("M1");
        self.plant(Class::UnderWay, &record);
        self.both(record, pending);
        // Paid a minute before midnight, in the bill of the next day.
        let (mut record, mut line) = self.wechat();
        record.at_ms = (self.day.succ_opt().unwrap().and_time(NaiveTime::MIN).and_utc()
            - TimeDelta::hours(8))
        .timestamp_millis()
            - 60_000;
        line.day = self.day.succ_opt().unwrap();
        line.at_ms = record.at_ms + 90_000;
        self.plant(Class::Late, &record);
        self.both(record, line);
        // The shop's record says failed on the day before the bill says paid.
        let (mut record, mut line) = self.wechat();
        record.standing = Standing::Dead;
        line.day = self.day.succ_opt().unwrap();
        self.plant(Class::PaidUnknown, &record);
        self.both(record, line);
        // A callback knows of a payment that the shop's record has as failed; no bill yet.
        let (mut record, _) = self.wechat();
        let mut callback = record.clone();
        callback.witness = true;
        callback.key = callback.key.as_witness_of("webhook");
        record.standing = Standing::Dead;
        self.plant(Class::PaidUnknown, &record);
        self.both_records(record, callback);
        // One that the shop knows as well: nothing to say.
        let (record, line) = self.wechat();
        let mut callback = record.clone();
        callback.witness = true;
        callback.key = callback.key.as_witness_of("webhook");
        self.world.shop.push(callback);
        self.both(record, line);
    }

    /// A provider whose bill of this day nobody brought.
    fn without_a_bill(&mut self) {
        for _ in 0..3 {
            let amount = self.random.amount(100, 5_000);
            let record = self.entry(2, "unionpay", "U1", amount);
            self.plant(Class::NoBill, &record);
            self.world.shop.push(record);
        }
    }

    fn both_records(&mut self, one: Entry, other: Entry) {
        self.world.shop.push(one);
        self.world.shop.push(other);
    }

    /// The bank's lines for the nets of WeChat: one a day, Friday to Sunday together.
    fn net_at_the_bank(&mut self) {
        let mut by_due: BTreeMap<NaiveDate, (NaiveDate, i64)> = BTreeMap::new();
        let mut days = BTreeMap::new();
        for line in self.world.lines.iter().filter(|line| line.rail.as_str() == "wechat_pay") {
            if line.standing == Standing::Posted {
                *days.entry(line.day).or_insert(0) += line.net.unwrap();
            }
        }
        // Net of a record whose store is the second's is counted there, as its own sum.
        for (of, net) in &days {
            let due = by_due.entry(due_after(*of, 1, true)).or_insert((*of, 0));
            due.1 += net;
        }
        for (of, net) in by_due.into_values() {
            self.day = of;
            self.bank_line("CNY", net, "财付通支付科技有限公司");
        }
    }
}

/// A chain of three stores over some days, all kinds of source, every fault on the third day.
pub fn generate(seed: u64, days: u64) -> Generated {
    let mut writer = Writer::new(seed);
    let first = writer.day;
    for offset in 0..days {
        writer.day = first.checked_add_days(chrono::Days::new(offset)).unwrap();
        writer.usual_day();
        if offset == 2 {
            writer.faults();
        }
    }
    writer.net_at_the_bank();
    plant_at_the_bank(&mut writer);
    short_drawer(&mut writer, first);
    writer.world
}

fn short_drawer(writer: &mut Writer, first: NaiveDate) {
    let the_day = first.succ_opt().unwrap();
    let record = writer
        .world
        .shop
        .iter()
        .filter(|entry| entry.rail.as_str() == "cash" && entry.day == the_day && entry.terminal == "till-2")
        .min_by_key(|entry| entry.place())
        .unwrap()
        .clone();
    writer.plant(Class::AmountDiffers, &record);
    let is_it =
        |line: &&mut Entry| line.rail.as_str() == "cash" && line.day == the_day && line.terminal == "till-2";
    writer.world.lines.iter_mut().find(is_it).unwrap().amount += 500;
}

fn plant_at_the_bank(writer: &mut Writer) {
    let po = |text: &str| format!("STRIPE {text}");
    let lines = &mut writer.world.lines;
    lines.retain(|line| line.text != po("po_20261103"));
    for line in lines.iter_mut() {
        if line.text == po("po_20261104") {
            line.amount -= 100;
        }
        if line.text == po("po_20261105") {
            line.day = day("2026-11-10");
        }
    }
    writer.world.planted_payouts = BTreeSet::from([
        ("po_20261103".to_owned(), Arrival::Missing, true),
        ("po_20261104".to_owned(), Arrival::Differs, false),
        ("po_20261105".to_owned(), Arrival::Arrived, true),
    ]);
    writer.day = day("2026-11-06");
    writer.bank_line("CNY", 4_321, "财付通 未知来账");
    writer.bank_line("CNY", 9_900, "房租退款");
}

/// One store, one provider, one day.
pub fn one_large_day(payments: usize) -> Generated {
    let mut writer = Writer::new(9);
    for _ in 0..payments {
        let (record, line) = writer.wechat();
        writer.both(record, line);
    }
    writer.world
}

/// Rows of a few orders in which anything may be anything.
pub fn chaos(seed: u64) -> Generated {
    let mut writer = Writer::new(seed);
    let first = writer.day;
    for _ in 0..240 {
        writer.day = first
            .checked_add_days(chrono::Days::new(u64::try_from(writer.random.below(5)).unwrap()))
            .unwrap();
        let rail = ["wechat_pay", "alipay", "stripe", "cash", "trc20"][writer.random.below(5)];
        let store = i64::try_from(writer.random.below(3)).unwrap() + 1;
        let amount = writer.random.amount(1, 5) * 100;
        let account = ["default", "M1"][writer.random.below(2)];
        let mut record = writer.entry(store, rail, account, amount);
        record.order_id = format!("SO-{}", writer.random.below(20));
        record.provider_id =
            if writer.random.below(3) == 0 { String::new() } else { format!("p{}", writer.random.below(60)) };
        record.currency =
            [Currency::CNY, Currency::parse("USD").unwrap()][usize::from(writer.random.below(6) == 0)];
        if writer.random.below(4) == 0 {
            record.kind = EntryKind::Refund;
            record.inward = false;
        }
        if writer.random.below(2) == 0 {
            record.standing = [Standing::Posted, Standing::Posted, Standing::Dead, Standing::UnderWay]
                [writer.random.below(4)];
            writer.world.shop.push(record);
        } else {
            let mut line = writer.line(&record);
            line.fee = line.fee.map(|fee| fee + i64::try_from(writer.random.below(5)).unwrap());
            writer.world.lines.push(line);
        }
    }
    writer.world
}
