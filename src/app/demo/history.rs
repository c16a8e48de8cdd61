use std::collections::BTreeMap;

use chrono::{Days, NaiveDate};

use super::bills::{BillBook, BillFile};
use super::day::{ShopDay, shop_day};
use super::order::Draft;
use super::script::Script;
use super::shops::SHOPS;
use super::state::as_of;
use super::traffic::Traffic;
use crate::domain::{CheckoutEvent, Instant, StoreId, Transaction};

/// Longest history that can be asked for.
pub const DAYS_MAX: u64 = 400;

/// What decides a history, to the last byte.
#[derive(Clone, Copy, Debug)]
pub struct Outline {
    pub seed: u64,
    pub days: u64,
    pub until: Instant,
    /// The numbers of the three stores in this installation, in the order of [`SHOPS`].
    pub stores: [StoreId; 3],
}

/// Everything of one UTC day as the store's systems knew it at the end of the history, and the bills that
/// were fetched. Customers stand as the providers name them: raw, to be hashed on the way in.
#[derive(Debug, Default)]
pub struct Bundle {
    pub day: NaiveDate,
    pub transactions: Vec<Transaction>,
    pub checkout_events: Vec<CheckoutEvent>,
    pub bills: Vec<BillFile>,
}

/// A history, one UTC day after the other. Days are made in parallel and handed out in order.
pub struct History {
    outline: Outline,
    script: Script,
    /// The next local day to make; the one after `last` makes nothing and only empties what waits.
    next: NaiveDate,
    last: NaiveDate,
    waiting: BTreeMap<NaiveDate, Bundle>,
    bills: BillBook,
    open: Vec<Draft>,
}

impl History {
    /// The history of an outline.
    pub fn of(outline: Outline) -> Self {
        let script = Script::until(outline.until);
        let last = SHOPS.iter().map(|shop| shop.day_of(outline.until)).max().unwrap_or_default();
        let days = outline.days.clamp(1, DAYS_MAX);
        let next = last.checked_sub_days(Days::new(days)).unwrap_or(last);
        let bills = BillBook::new(&script, next);
        Self { outline, script, next, last, waiting: BTreeMap::new(), bills, open: Vec::new() }
    }

    /// Local days still to be made.
    pub fn days_left(&self) -> u64 {
        u64::try_from((self.last - self.next).num_days() + 1).unwrap_or(0)
    }

    fn make_next_day(&mut self) {
        let day = self.next;
        let (outline, script) = (&self.outline, &self.script);
        let made: Vec<ShopDay> = std::thread::scope(|scope| {
            let workers: Vec<_> = outline
                .stores
                .iter()
                .enumerate()
                .map(|(shop, store)| scope.spawn(move || shop_day(outline.seed, script, shop, *store, day)))
                .collect();
            workers
                .into_iter()
                .map(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
                .collect()
        });
        for shop_day in made {
            for draft in &shop_day.drafts {
                self.take(draft);
            }
            let until = self.script.until;
            for event in shop_day.events.into_iter().filter(|event| event.time < until) {
                self.bundle(event.time.date_naive()).checkout_events.push(event);
            }
        }
        for bill in self.bills.close(day) {
            self.bundle(day).bills.push(bill);
        }
        self.next = day + Days::new(1);
    }

    /// Ends the history: the script it followed, and what it left open for the traffic that comes after it.
    pub fn into_traffic(self) -> Traffic {
        let Outline { seed, stores, until, .. } = self.outline;
        Traffic::from(seed, self.script, stores, until, self.open)
    }

    fn take(&mut self, draft: &Draft) {
        self.bills.take(draft);
        if draft.record.completed_at.is_some_and(|end| end >= self.script.until) && !draft.unheard {
            self.open.push(draft.clone());
        }
        if let Some(record) = as_of(draft, self.script.until) {
            self.bundle(record.created_at.date_naive()).transactions.push(record);
        }
    }

    fn bundle(&mut self, day: NaiveDate) -> &mut Bundle {
        self.waiting.entry(day).or_insert_with(|| Bundle { day, ..Bundle::default() })
    }
}

impl Iterator for History {
    type Item = Bundle;

    fn next(&mut self) -> Option<Bundle> {
        loop {
            // A UTC day is complete when the local day after it is made: no zone here is ahead by more.
            let complete = self.next > self.last
                || self.waiting.keys().next().is_some_and(|day| *day + Days::new(1) < self.next);
            if complete {
                let (_, mut bundle) = self.waiting.pop_first()?;
                bundle.transactions.sort_by(|a, b| {
                    (a.created_at, &a.transaction_id).cmp(&(b.created_at, &b.transaction_id))
                });
                bundle.checkout_events.sort_by(|a, b| (a.time, &a.event_id).cmp(&(b.time, &b.event_id)));
                return Some(bundle);
            }
            self.make_next_day();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::LazyLock;

    use super::*;
    use crate::domain::{Kind, Status, Step, Word};

    fn outline(seed: u64, days: u64) -> Outline {
        let until = "2026-11-25T06:30:00Z".parse().expect("an instant");
        Outline { seed, days, until, stores: [StoreId(1), StoreId(2), StoreId(3)] }
    }

    fn hash(outline: Outline) -> String {
        let mut hasher = blake3::Hasher::new();
        for bundle in History::of(outline) {
            hasher.update(&postcard::to_allocvec(&bundle.transactions).expect("records serialize"));
            hasher.update(&postcard::to_allocvec(&bundle.checkout_events).expect("records serialize"));
            for bill in &bundle.bills {
                hasher.update(bill.name.as_bytes());
                hasher.update(&bill.bytes);
            }
        }
        hasher.finalize().to_hex()[..16].to_owned()
    }

    type Made = (Vec<Transaction>, Vec<CheckoutEvent>, Vec<BillFile>);

    /// Two weeks, made once for all tests.
    static MADE: LazyLock<Made> = LazyLock::new(|| {
        let mut all = (Vec::new(), Vec::new(), Vec::new());
        for bundle in History::of(outline(1, 14)) {
            assert!(bundle.transactions.iter().all(|one| one.created_at.date_naive() == bundle.day));
            all.0.extend(bundle.transactions);
            all.1.extend(bundle.checkout_events);
            all.2.extend(bundle.bills);
        }
        all
    });

    fn share(hits: usize, of: usize) -> usize {
        hits * 1_000 / of.max(1)
    }

    #[test]
    fn the_same_seed_and_end_give_the_same_bytes() {
        let first = hash(outline(1, 4));
        assert_eq!(first, hash(outline(1, 4)));
        assert_ne!(first, hash(outline(2, 4)));
        // A golden value: what one version of the program made, the next one makes too.
        assert_eq!(first, "27af0d72d6f6a6b2");
    }

    #[test]
    fn ninety_days_hold_more_than_three_hundred_thousand_transactions() {
        // Two weeks without a promotion; the rate of the whole differs by half of the growth of a tenth.
        let (transactions, ..) = &*MADE;
        let until = outline(1, 14).until.date_naive();
        let whole_days = transactions.iter().filter(|one| {
            let ago = (until - one.created_at.date_naive()).num_days();
            (1..=7).contains(&ago)
        });
        let of_ninety_days = whole_days.count() * 90 / 7;
        assert!((325_000..420_000).contains(&of_ninety_days), "{of_ninety_days}");
    }

    #[test]
    fn every_record_could_be_a_real_one() {
        let (transactions, ..) = &*MADE;
        let mut ids = BTreeSet::new();
        for one in transactions {
            assert!(one.status.fits(one.kind), "{one:?}");
            assert!(ids.insert(&one.transaction_id), "{} twice", one.transaction_id);
            assert!(one.amount.minor() > 0 && one.created_at < outline(1, 14).until);
            assert_eq!(one.status.is_terminal(), one.completed_at.is_some(), "{one:?}");
            assert!(one.updated_at.is_some_and(|at| at >= one.created_at && at < outline(1, 14).until));
            let lines: i64 = one.items.iter().map(|item| item.line_amount).sum();
            if one.kind == Kind::Payment {
                assert_eq!(lines - one.discount_platform.unwrap_or(0), one.amount.minor());
                let off = one.discount_merchant.unwrap_or(0) + one.discount_platform.unwrap_or(0);
                assert_eq!(one.list_amount, Some(one.amount.minor() + off));
            }
            let live_without_fee = ["wechat_pay", "alipay", "unionpay"];
            if one.provider.is_some_and(|provider| live_without_fee.contains(&provider.as_str())) {
                assert_eq!(one.fee, None);
            }
        }
    }

    #[test]
    fn rates_are_those_of_a_healthy_shop() {
        let (transactions, events, _) = &*MADE;
        let payments: Vec<_> = transactions.iter().filter(|one| one.kind == Kind::Payment).collect();
        let paid = payments.iter().filter(|one| one.status == Status::Succeeded).count();
        assert!((930..975).contains(&share(paid, payments.len())), "{}", share(paid, payments.len()));
        let sum = |kind: Kind| -> i64 {
            let one_currency = transactions.iter().filter(|one| one.amount.currency().code() == "CNY");
            let posted = one_currency.filter(|one| one.kind == kind && one.status == Status::Succeeded);
            posted.map(|one| one.amount.minor()).sum()
        };
        let refunded = sum(Kind::Refund) * 1_000 / sum(Kind::Payment);
        assert!((5..60).contains(&refunded), "{refunded}");
        let steps = [
            Step::ViewItem,
            Step::AddToCart,
            Step::BeginCheckout,
            Step::AddShippingInfo,
            Step::AddPaymentInfo,
            Step::PaymentAttempt,
            Step::Purchase,
        ];
        let sessions = |step: Step| {
            let of_step = events.iter().filter(|event| event.step == step);
            of_step.map(|event| &event.session_id).collect::<BTreeSet<_>>().len()
        };
        let counts: Vec<usize> = steps.into_iter().map(sessions).collect();
        assert!(counts.windows(2).all(|pair| pair[0] > pair[1]), "{counts:?}");
    }

    #[test]
    fn refunds_never_give_back_more_than_was_paid() {
        let (transactions, ..) = &*MADE;
        let mut left: BTreeMap<&str, i64> = BTreeMap::new();
        for one in transactions.iter().filter(|one| one.kind == Kind::Payment) {
            left.insert(&one.transaction_id, one.amount.minor());
        }
        let refunds = transactions.iter().filter(|one| one.kind == Kind::Refund);
        let mut seen = 0;
        for refund in refunds {
            let parent = refund.parent_transaction_id.as_deref().expect("a refund names its payment");
            let rest = left.get_mut(parent).expect("the payment is in the history");
            *rest -= refund.amount.minor();
            assert!(*rest >= 0, "{parent}");
            seen += 1;
        }
        assert!(seen > 200, "{seen}");
    }

    #[test]
    fn what_is_planted_is_there() {
        let (transactions, _, bills) = &*MADE;
        let script = Script::until(outline(1, 14).until);
        let is = |one: &Transaction, shop: i64, provider: &str| {
            one.store == StoreId(shop)
                && one.provider == Some(Word::of(provider))
                && one.kind == Kind::Payment
        };
        let drop: Vec<_> = transactions
            .iter()
            .filter(|one| is(one, 1, "alipay") && script.drop.contains(one.created_at))
            .collect();
        let paid = drop.iter().filter(|one| one.status == Status::Succeeded).count();
        assert!(drop.len() > 60 && share(paid, drop.len()) < 450, "{paid} of {}", drop.len());

        let silent = transactions.iter().filter(|one| is(one, 2, "unionpay"));
        assert!(silent.clone().count() > 1_000);
        assert!(silent.clone().all(|one| one.created_at < script.silent_from));

        let burst = transactions.iter().filter(|one| {
            let recent = script.burst.contains(one.created_at) && one.store == StoreId(2);
            recent && one.kind == Kind::Refund && one.operator.as_deref() == Some("何川")
        });
        assert!(burst.clone().count() >= 30, "{}", burst.count());

        let missing = |bill: &&BillFile| {
            bill.day == script.missing_bill && bill.store == StoreId(2) && bill.provider != "bank"
        };
        let there: Vec<_> = bills.iter().filter(missing).map(|bill| bill.provider).collect();
        assert_eq!(there, ["wechat_pay"]);
        let raised = bills.iter().filter(|bill| bill.provider == "wechat_pay" && bill.store == StoreId(1));
        for bill in raised {
            let text = String::from_utf8(bill.bytes.clone()).expect("UTF-8");
            assert_eq!(text.contains("`0.60%"), bill.day >= script.raised_from, "{}", bill.name);
        }
        let open = transactions.iter().filter(|one| one.status == Status::Pending).count();
        assert!((10..600).contains(&open), "{open}");
    }
}
