use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::domain::{Currency, Instant, RecordKey, StoreId, Word};

use super::arrivals::{BankLine, Payout};
use super::entry::{ANY_ACCOUNT, Entry, bill_due};

/// What was found about a record, a line, or a pair of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// 掉单: paid at the provider, the shop's own record is not.
    PaidUnknown,
    /// 单边账: in the bill, not in the shop's records.
    OnlyBill,
    /// 单边账: in the shop's records, not in the bill.
    OnlyShop,
    AmountDiffers,
    CurrencyDiffers,
    /// Twice for one order.
    Duplicate,
    FeeDiffers,
    /// A day of which there is no bill.
    NoBill,
    /// On another day in the bill than in the shop's records.
    Late,
    /// One side says that it is still under way.
    UnderWay,
    /// A difference that the account's tolerance lets pass.
    Tolerance,
    /// No bill yet, and none is expected yet.
    NotYetDue,
    /// Cash that nobody counted, stored value: the shop's own book, no bill will come.
    OwnBook,
    /// Matched by hand.
    ByHand,
    /// A difference that somebody accepted, with a reason.
    AcceptedByHand,
}

impl Class {
    /// Every class, the most pressing first.
    pub const ALL: [Self; 15] = [
        Self::PaidUnknown,
        Self::OnlyBill,
        Self::OnlyShop,
        Self::AmountDiffers,
        Self::CurrencyDiffers,
        Self::Duplicate,
        Self::FeeDiffers,
        Self::NoBill,
        Self::Late,
        Self::UnderWay,
        Self::Tolerance,
        Self::NotYetDue,
        Self::OwnBook,
        Self::ByHand,
        Self::AcceptedByHand,
    ];

    /// The word in addresses and keys of texts.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PaidUnknown => "paid_unknown",
            Self::OnlyBill => "only_bill",
            Self::OnlyShop => "only_shop",
            Self::AmountDiffers => "amount_differs",
            Self::CurrencyDiffers => "currency_differs",
            Self::Duplicate => "duplicate",
            Self::FeeDiffers => "fee_differs",
            Self::NoBill => "no_bill",
            Self::Late => "late",
            Self::UnderWay => "under_way",
            Self::Tolerance => "tolerance",
            Self::NotYetDue => "not_yet_due",
            Self::OwnBook => "own_book",
            Self::ByHand => "by_hand",
            Self::AcceptedByHand => "accepted_by_hand",
        }
    }

    /// Reads [`Class::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.as_str() == text)
    }

    /// True for what somebody has to look into (差错); the others explain themselves.
    pub const fn is_exception(self) -> bool {
        !matches!(
            self,
            Self::Late
                | Self::UnderWay
                | Self::Tolerance
                | Self::NotYetDue
                | Self::OwnBook
                | Self::NoBill
                | Self::ByHand
                | Self::AcceptedByHand
        )
    }
}

/// Why two were taken for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Because {
    ProviderId,
    MerchantRefundId,
    OrderId,
    /// An order number found in a text.
    Text,
    /// Several on one side, with the same sum.
    Sum,
}

/// What became of an open finding on a later day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closed {
    /// The source day whose rows closed it.
    pub on: NaiveDate,
    pub class: Class,
    pub with: Box<Entry>,
}

/// One thing that is not simply matched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Follows from what it is about: the same again after every computation.
    pub id: RecordKey,
    pub class: Class,
    pub store: StoreId,
    pub rail: Word,
    pub account: Word,
    pub currency: Currency,
    pub shop: Option<Entry>,
    pub bill: Option<Entry>,
    /// What it adds to the shop's total of its day, signed.
    pub shop_minor: i128,
    /// What it adds to the bill's total of its day, signed.
    pub bill_minor: i128,
    /// Fee charged less fee expected, where they differ.
    pub fee_minor: i128,
    /// How many records or lines it stands for.
    pub count: u64,
    pub because: Option<Because>,
    /// Another finding that has the same amount and may belong to it: only a suggestion.
    pub suggestion: Option<RecordKey>,
    /// Not to be worried about before.
    pub due_ms: Option<i64>,
    pub closed: Option<Closed>,
}

impl Finding {
    /// Shop less bill: its part of the day's difference.
    pub const fn difference(&self) -> i128 {
        self.shop_minor - self.bill_minor
    }

    /// True for an item that stands on one side only and may still find its other.
    pub const fn is_open(&self) -> bool {
        matches!(self.class, Class::OnlyShop | Class::OnlyBill | Class::NoBill)
            && self.closed.is_none()
            && self.shop.is_some() != self.bill.is_some()
    }

    /// True when two sides were put together, by us or by somebody, and can be parted. Where only the fee differs they
    /// belong together.
    pub const fn can_be_parted(&self) -> bool {
        let pair = self.shop.is_some() && self.bill.is_some() && !matches!(self.class, Class::FeeDiffers);
        pair || self.closed.is_some()
    }

    /// What it is at this time: closed later, or not due yet.
    pub fn class_at(&self, now: Instant) -> Class {
        if let Some(closed) = &self.closed {
            return closed.class;
        }
        let waits = self.due_ms.is_some_and(|due| now.timestamp_millis() < due);
        match self.class {
            Class::OnlyShop | Class::NoBill if waits => Class::NotYetDue,
            class => class,
        }
    }

    /// The money at stake, unsigned: the difference, or what was charged wrongly, or what a pair is about.
    pub fn stake(&self) -> i128 {
        let about = |entry: &Option<Entry>| entry.as_ref().map_or(0, |entry| i128::from(entry.amount));
        let difference = self.difference().abs();
        match (difference, self.fee_minor.abs()) {
            (0, 0) => about(&self.bill).max(about(&self.shop)),
            (0, fee) => fee,
            (difference, _) => difference,
        }
    }
}

/// A count and a signed sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    pub count: u64,
    pub minor: i128,
}

impl Tally {
    /// Adds one more.
    pub fn add(&mut self, minor: i128) {
        self.count += 1;
        self.minor += minor;
    }

    /// Adds another tally.
    pub fn merge(&mut self, other: Self) {
        self.count += other.count;
        self.minor += other.minor;
    }
}

/// Fees that could be checked line by line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeeCheck {
    pub lines: u64,
    pub charged: i128,
    pub expected: i128,
    /// Differences of at most one minor unit a line: how a provider rounds.
    pub rounding: i128,
}

/// The sums of one account on one source day in one currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bucket {
    pub store: StoreId,
    pub rail: Word,
    pub account: Word,
    pub currency: Currency,
    /// The shop's posted records.
    pub shop: Tally,
    /// The bill's lines of sales, refunds and disputes.
    pub bill: Tally,
    /// Shop records that are matched to the minor unit on the same day.
    pub matched: Tally,
    /// Of a day without a bill, and of the shop's own books: records that are kept as a sum only.
    pub unbilled: Tally,
    /// True when any line of this account's bill is there.
    pub has_bill: bool,
    /// Fees on the lines and charged apart; more than 0 is a cost.
    pub fees: i128,
    /// Profit sharing, transfers, adjustments.
    pub movements: i128,
    /// What the bill's lines add to the balance that is paid out.
    pub net: i128,
    pub fee_check: FeeCheck,
}

impl Bucket {
    /// An empty bucket.
    pub fn new(store: StoreId, rail: Word, account: Word, currency: Currency) -> Self {
        Self {
            store,
            rail,
            account,
            currency,
            shop: Tally::default(),
            bill: Tally::default(),
            matched: Tally::default(),
            unbilled: Tally::default(),
            has_bill: false,
            fees: 0,
            movements: 0,
            net: 0,
            fee_check: FeeCheck::default(),
        }
    }
}

/// One store's day in one currency, over all its accounts: what the foot of a report is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DaySum {
    pub store: StoreId,
    pub currency: Currency,
    /// The shop's records.
    pub shop: i128,
    /// Those of accounts with a bill, and what the bills say; `None` without one.
    pub billed: Option<(i128, i128)>,
}

/// Everything known of one organisation's source day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayBooks {
    pub day: NaiveDate,
    /// Of the items that earlier days had left open when this day was worked on.
    pub opened_with: String,
    pub buckets: Vec<Bucket>,
    pub findings: Vec<Finding>,
    pub payouts: Vec<Payout>,
    pub bank: Vec<BankLine>,
    /// Findings beyond the limit of a bucket, by class: kept as sums only.
    pub more: Vec<More>,
}

/// The accounts that books name, by store and provider: a record that names none belongs to the only one.
pub struct NamedAccounts(BTreeMap<(StoreId, Word), BTreeSet<Word>>);

impl NamedAccounts {
    /// Those of these books.
    pub fn of(books: &[DayBooks]) -> Self {
        let mut named: BTreeMap<(StoreId, Word), BTreeSet<Word>> = BTreeMap::new();
        for bucket in books.iter().flat_map(|day| &day.buckets).filter(|bucket| is_named(bucket.account)) {
            named.entry((bucket.store, bucket.rail)).or_default().insert(bucket.account);
        }
        Self(named)
    }

    /// The account itself, or the only one where it is none.
    pub fn only(&self, store: StoreId, rail: Word, account: Word) -> Word {
        if is_named(account) {
            return account;
        }
        let own = self.0.get(&(store, rail)).filter(|accounts| accounts.len() == 1);
        own.and_then(|own| own.first()).copied().unwrap_or(account)
    }
}

fn is_named(account: Word) -> bool {
    !account.is_none() && account.as_str() != ANY_ACCOUNT
}

/// Findings of a bucket that are too many to be kept one by one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct More {
    pub store: StoreId,
    pub rail: Word,
    pub account: Word,
    pub currency: Currency,
    pub class: Class,
    pub count: u64,
    pub shop_minor: i128,
    pub bill_minor: i128,
    pub fee_minor: i128,
}

/// The books of a day do not add up: a fault of ours, and nothing is stored.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{day} {rail} {account} {currency}: the parts of the difference do not add up ({what})")]
pub struct Unbalanced {
    pub day: NaiveDate,
    pub rail: Word,
    pub account: Word,
    pub currency: Currency,
    pub what: &'static str,
}

/// Account of an equation.
type Place = (StoreId, Word, Word, Currency);

impl DayBooks {
    /// Checks that every bucket's difference is explained by its findings to the minor unit, for amounts and fees.
    ///
    /// # Errors
    /// [`Unbalanced`], the first.
    pub fn check(&self) -> Result<(), Unbalanced> {
        let mut explained: BTreeMap<Place, (i128, i128, i128)> = BTreeMap::new();
        for one in &self.findings {
            let sums = explained.entry((one.store, one.rail, one.account, one.currency)).or_default();
            sums.0 += one.shop_minor;
            sums.1 += one.bill_minor;
            sums.2 += one.fee_minor;
        }
        for one in &self.more {
            let sums = explained.entry((one.store, one.rail, one.account, one.currency)).or_default();
            sums.0 += one.shop_minor;
            sums.1 += one.bill_minor;
            sums.2 += one.fee_minor;
        }
        for bucket in &self.buckets {
            let place = (bucket.store, bucket.rail, bucket.account, bucket.currency);
            let (shop, bill, fee) = explained.remove(&place).unwrap_or_default();
            let check = bucket.fee_check;
            let fault = if bucket.shop.minor != bucket.matched.minor + bucket.unbilled.minor + shop {
                "shop"
            } else if bucket.bill.minor != bucket.matched.minor + bill {
                "bill"
            } else if check.charged - check.expected != check.rounding + fee {
                "fees"
            } else {
                continue;
            };
            return Err(self.unbalanced(place, fault));
        }
        match explained.into_iter().find(|(_, sums)| *sums != (0, 0, 0)) {
            Some((place, _)) => Err(self.unbalanced(place, "no bucket")),
            None => Ok(()),
        }
    }

    /// The day by store and currency.
    pub fn sums(&self) -> Vec<DaySum> {
        let mut sums: BTreeMap<(StoreId, Currency), DaySum> = BTreeMap::new();
        for bucket in &self.buckets {
            let (store, currency) = (bucket.store, bucket.currency);
            let empty = DaySum { store, currency, shop: 0, billed: None };
            let sum = sums.entry((store, currency)).or_insert(empty);
            sum.shop += bucket.shop.minor;
            if bucket.has_bill {
                let billed = sum.billed.get_or_insert_default();
                billed.0 += bucket.shop.minor;
                billed.1 += bucket.bill.minor;
            }
        }
        sums.into_values().collect()
    }

    fn unbalanced(&self, (_, rail, account, currency): Place, what: &'static str) -> Unbalanced {
        Unbalanced { day: self.day, rail, account, currency, what }
    }

    /// When the bill of a bucket of this day is expected.
    pub fn bill_due(&self, bucket: &Bucket) -> Option<Instant> {
        bill_due(bucket.rail, self.day)
    }
}
