use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::{Currency, Instant, StoreId, Word};

use super::books::{Bucket, Class, DayBooks, FeeCheck, NamedAccounts, Tally};
use super::entry::is_own_book;

/// Findings of one class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassSums {
    pub count: u64,
    pub shop: i128,
    pub bill: i128,
    pub fee: i128,
    /// Money at stake, unsigned.
    pub stake: i128,
}

/// One account in one currency over some days.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountSum {
    pub store: StoreId,
    pub rail: Word,
    pub account: Word,
    pub currency: Currency,
    pub shop: Tally,
    pub bill: Tally,
    pub matched: Tally,
    /// The shop's records of days with a bill: what the bills are compared with.
    pub compared: Tally,
    pub fees: i128,
    pub movements: i128,
    /// What should arrive: the bills' sales less refunds, disputes and fees, with movements.
    pub net: i128,
    pub fee_check: FeeCheck,
    /// Days of which a bill is there, and days on which the shop has records and none is.
    pub days_with_bill: u32,
    pub days_without_bill: u32,
    pub classes: BTreeMap<Class, ClassSums>,
}

impl AccountSum {
    fn new(store: StoreId, rail: Word, account: Word, currency: Currency) -> Self {
        Self {
            store,
            rail,
            account,
            currency,
            shop: Tally::default(),
            bill: Tally::default(),
            matched: Tally::default(),
            compared: Tally::default(),
            fees: 0,
            movements: 0,
            net: 0,
            fee_check: FeeCheck::default(),
            days_with_bill: 0,
            days_without_bill: 0,
            classes: BTreeMap::new(),
        }
    }

    /// The bills' total; `None` where there is none.
    pub fn billed(&self) -> Option<i128> {
        (self.days_with_bill > 0).then_some(self.bill.minor)
    }

    /// Shop less bills, over days with a bill; `None` without one.
    pub fn difference(&self) -> Option<i128> {
        self.billed().map(|bill| self.compared.minor - bill)
    }

    /// Findings that somebody has to look into: how many, and the money at stake.
    pub fn exceptions(&self) -> (u64, i128) {
        let open = self.classes.iter().filter(|(class, _)| class.is_exception());
        open.fold((0, 0), |(count, stake), (_, sums)| (count + sums.count, stake + sums.stake))
    }

    fn add(&mut self, bucket: &Bucket) {
        self.shop.merge(bucket.shop);
        self.bill.merge(bucket.bill);
        self.matched.merge(bucket.matched);
        self.fees += bucket.fees;
        self.movements += bucket.movements;
        self.net += bucket.net;
        self.fee_check.lines += bucket.fee_check.lines;
        self.fee_check.charged += bucket.fee_check.charged;
        self.fee_check.expected += bucket.fee_check.expected;
        self.fee_check.rounding += bucket.fee_check.rounding;
        if bucket.has_bill {
            self.compared.merge(bucket.shop);
            self.days_with_bill += 1;
        } else if bucket.shop.count > 0 {
            self.days_without_bill += 1;
        }
    }
}

type Place = (StoreId, Word, Word, Currency);

/// Adds the books of some days up by account and currency, for these stores. A store's records that name no account belong
/// to its only one, where a provider has one.
pub fn summarise(books: &[DayBooks], stores: &[StoreId], now: Instant) -> Vec<AccountSum> {
    let named = NamedAccounts::of(books);
    let place_of = |store: StoreId, rail: Word, account: Word, currency: Currency| -> Place {
        (store, rail, named.only(store, rail, account), currency)
    };
    let mut sums: BTreeMap<Place, AccountSum> = BTreeMap::new();
    for day in books {
        for bucket in day.buckets.iter().filter(|bucket| stores.contains(&bucket.store)) {
            let sum = at(&mut sums, place_of(bucket.store, bucket.rail, bucket.account, bucket.currency));
            sum.add(bucket);
            if bucket.unbilled.count > 0 {
                let waits = day.bill_due(bucket).is_some_and(|due| now < due);
                let class = match (is_own_book(bucket.rail), waits) {
                    (true, _) => Class::OwnBook,
                    (false, true) => Class::NotYetDue,
                    (false, false) => Class::NoBill,
                };
                let one = sum.classes.entry(class).or_default();
                one.count += bucket.unbilled.count;
                one.shop += bucket.unbilled.minor;
                one.stake += bucket.unbilled.minor.abs();
            }
        }
        for finding in day.findings.iter().filter(|finding| stores.contains(&finding.store)) {
            let place = place_of(finding.store, finding.rail, finding.account, finding.currency);
            let one = at(&mut sums, place).classes.entry(finding.class_at(now)).or_default();
            one.count += 1;
            one.shop += finding.shop_minor;
            one.bill += finding.bill_minor;
            one.fee += finding.fee_minor;
            one.stake += finding.stake();
        }
        for more in day.more.iter().filter(|more| stores.contains(&more.store)) {
            let place = place_of(more.store, more.rail, more.account, more.currency);
            let one = at(&mut sums, place).classes.entry(more.class).or_default();
            one.count += more.count;
            one.shop += more.shop_minor;
            one.bill += more.bill_minor;
            one.fee += more.fee_minor;
            one.stake += (more.shop_minor - more.bill_minor).abs().max(more.fee_minor.abs());
        }
    }
    sums.into_values().collect()
}

fn at(sums: &mut BTreeMap<Place, AccountSum>, place: Place) -> &mut AccountSum {
    let (store, rail, account, currency) = place;
    sums.entry(place).or_insert_with(|| AccountSum::new(store, rail, account, currency))
}
