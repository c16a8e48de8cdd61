use std::collections::BTreeMap;
use std::ops::AddAssign;

use crate::analytics::{AttemptKey, AttemptSums, Slot, View};
use crate::domain::{FailureClass, FailureReason, Proportion, Status, Word, failure_reason};

use super::figure::{Compared, ratio_ppm};
use super::overview::Sides;
use super::period::Span;
use super::query::Query;
use super::tally::Tally;
use super::walk::{Place, Stores, before_is_known, stops};

/// What became of attempts, and why those that failed did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Failures {
    pub outcomes: Compared<Outcomes>,
    /// By attempts, most first. Their attempts add up to what was not approved and is not open or underpaid.
    pub reasons: Vec<FailureRow>,
}

/// Every attempt in exactly one of these.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcomes {
    /// Authorized or paid.
    pub approved: AttemptSums,
    /// Said no to by the issuer or the wallet, on the shopper's account.
    pub declined: AttemptSums,
    /// Timeouts, the provider's errors, our own.
    pub technical: AttemptSums,
    /// Stopped by a risk check.
    pub risk: AttemptSums,
    /// Refused for how the shop asked.
    pub merchant: AttemptSums,
    /// Cancelled, or expired unpaid.
    pub left: AttemptSums,
    /// Less arrived than asked.
    pub underpaid: AttemptSums,
    /// Not at an end.
    pub open: AttemptSums,
}

impl Outcomes {
    /// All attempts.
    pub fn all(&self) -> AttemptSums {
        let mut all = self.approved;
        for part in
            [self.declined, self.technical, self.risk, self.merchant, self.left, self.underpaid, self.open]
        {
            all += part;
        }
        all
    }

    /// Approved of approved and declined.
    pub fn authorization(&self) -> Proportion {
        Proportion { hits: self.approved.count, of: self.approved.count + self.declined.count }
    }

    /// Technical failures of all attempts.
    pub fn technical_share(&self) -> Proportion {
        Proportion { hits: self.technical.count, of: self.all().count }
    }

    fn part_mut(&mut self, key: &AttemptKey, class: Option<FailureClass>) -> &mut AttemptSums {
        match (key.status, class) {
            (Status::Created | Status::Submitted | Status::Pending | Status::ActionRequired, _) => {
                &mut self.open
            }
            (Status::Underpaid, _) => &mut self.underpaid,
            (Status::Cancelled | Status::Expired, _) => &mut self.left,
            (Status::Blocked, _) | (Status::Failed, Some(FailureClass::Risk)) => &mut self.risk,
            (Status::Failed, Some(FailureClass::Technical)) => &mut self.technical,
            (Status::Failed, Some(FailureClass::Merchant)) => &mut self.merchant,
            (Status::Failed, _) => &mut self.declined,
            _ => &mut self.approved,
        }
    }
}

impl AddAssign for Outcomes {
    fn add_assign(&mut self, other: Self) {
        self.approved += other.approved;
        self.declined += other.declined;
        self.technical += other.technical;
        self.risk += other.risk;
        self.merchant += other.merchant;
        self.left += other.left;
        self.underpaid += other.underpaid;
        self.open += other.open;
    }
}

/// One reason, or one code of no known reason.
#[derive(Clone, Debug, PartialEq)]
pub struct FailureRow {
    /// `None`: the code is on no list; shown as it is.
    pub reason: Option<FailureReason>,
    pub class: Option<FailureClass>,
    pub attempts: Compared<i64>,
    /// What these attempts were for, in minor units; retries of one payment count each.
    pub amount: i128,
    /// Millionths of all failed attempts.
    pub share_ppm: Option<i128>,
    /// The codes behind it, most first.
    pub codes: Vec<FailureCode>,
}

/// One provider's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailureCode {
    pub provider: Word,
    pub method: Word,
    /// As the provider writes it; [`Word::NONE`] when none was given.
    pub code: Word,
    pub attempts: i64,
    pub amount: i128,
}

/// What failed attempts are put together by.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    Reason(FailureReason),
    Code(Word, Word),
}

#[derive(Default)]
struct Gathered {
    outcomes: Sides<Outcomes>,
    rows: BTreeMap<(Group, Option<FailureClass>), RowSums>,
}

#[derive(Default)]
struct RowSums {
    attempts: Sides<i64>,
    amount: i128,
    codes: BTreeMap<(Word, Word, Word), AttemptSums>,
}

/// Outcomes and reasons by currency.
pub(super) fn failures(view: &View, query: &Query, spans: &[Span]) -> BTreeMap<Word, Failures> {
    let mut tally = Tally::new();
    let stores = Stores::of(query);
    for stop in stops(view, &stores, spans, |parts| parts.attempts) {
        stop.cells.attempts(query.payments_detail(), |_, key, sums| {
            let Some(place) = stop.place(key.slot) else { return };
            if takes(query, key) {
                // The chart has no part in this, and neither have hours, scenes and promotions.
                let key = AttemptKey { slot: Slot(0), scene: Word::NONE, promotion: Word::NONE, ..*key };
                tally.add((Place { bucket: 0, ..place }, key), *sums);
            }
        });
    }
    let mut gathered: BTreeMap<Word, Gathered> = BTreeMap::new();
    for ((place, key), sums) in tally.rows() {
        gathered.entry(key.currency).or_default().add(*place, key, *sums);
    }
    let before = before_is_known(view, query, spans);
    gathered.into_iter().map(|(currency, of_currency)| (currency, shown(of_currency, before))).collect()
}

impl Gathered {
    fn add(&mut self, place: Place, key: &AttemptKey, sums: AttemptSums) {
        let reason = reason_of(key);
        let class = key.failure_class.or_else(|| reason.map(FailureReason::class));
        let mut outcomes = Outcomes::default();
        *outcomes.part_mut(key, class) = sums;
        self.outcomes.add(place, outcomes);
        if !failed(key.status) {
            return;
        }
        let group = reason.map_or(Group::Code(key.provider, key.failure_code), Group::Reason);
        let row = self.rows.entry((group, class)).or_default();
        row.attempts.add(place, sums.count);
        if place.counted && !place.before {
            row.amount += sums.amount;
            *row.codes.entry((key.provider, key.method, key.failure_code)).or_default() += sums;
        }
    }
}

fn takes(query: &Query, key: &AttemptKey) -> bool {
    query.filter.provider.takes(key.provider)
        && query.filter.method.takes(key.method)
        && query.filter.scene.takes(key.scene)
        && query.filter.promotion.takes(key.promotion)
        && query.currency.is_none_or(|only| only.code() == key.currency.as_str())
}

fn failed(status: Status) -> bool {
    matches!(status, Status::Failed | Status::Blocked | Status::Cancelled | Status::Expired)
}

fn reason_of(key: &AttemptKey) -> Option<FailureReason> {
    match key.status {
        Status::Failed => failure_reason(key.provider, &key.failure_code),
        Status::Blocked => Some(FailureReason::RiskBlocked),
        Status::Cancelled => Some(FailureReason::Cancelled),
        Status::Expired => Some(FailureReason::ExpiredUnpaid),
        _ => None,
    }
}

fn shown(gathered: Gathered, before: bool) -> Failures {
    let all: i64 = gathered.rows.values().map(|row| row.attempts.value).sum();
    let mut reasons: Vec<_> = gathered
        .rows
        .into_iter()
        .map(|((group, class), sums)| FailureRow {
            reason: match group {
                Group::Reason(reason) => Some(reason),
                Group::Code(..) => None,
            },
            class,
            share_ppm: ratio_ppm(i128::from(sums.attempts.value), i128::from(all)),
            attempts: sums.attempts.compared(before),
            amount: sums.amount,
            codes: codes(sums.codes),
        })
        .collect();
    // Those of the earlier period only come last: what went away is news too.
    reasons.sort_by_key(|row| (-row.attempts.value, row.reason));
    Failures { outcomes: gathered.outcomes.compared(before), reasons }
}

fn codes(sums: BTreeMap<(Word, Word, Word), AttemptSums>) -> Vec<FailureCode> {
    let mut codes: Vec<_> = sums
        .into_iter()
        .map(|((provider, method, code), sums)| FailureCode {
            provider,
            method,
            code,
            attempts: sums.count,
            amount: sums.amount,
        })
        .collect();
    codes.sort_by_key(|code| (-code.attempts, code.provider, code.code));
    codes
}

#[cfg(test)]
mod tests {
    use crate::analytics::DayBlock;

    use super::super::conversion::conversion;
    use super::super::period::Period;
    use super::super::testing::{World, at, day, query};
    use super::*;

    fn attempts(status: Status, provider: &str, code: &str, count: i64) -> DayBlock {
        let key = AttemptKey {
            promotion: Word::NONE,
            slot: Slot(16),
            provider: Word::of(provider),
            method: Word::of(provider),
            scene: Word::NONE,
            currency: Word::of("CNY"),
            status,
            failure_code: Word::of(code),
            failure_class: None,
        };
        let sums = AttemptSums { count, amount: i128::from(count) * 1_000 };
        DayBlock { attempts: [(key, sums)].into(), ..DayBlock::default() }
    }

    fn shown(blocks: &[(&str, DayBlock)]) -> Failures {
        let world = blocks
            .iter()
            .fold(World::default(), |world, (date, block)| world.with_block(1, day(date), block));
        let query = query(Period::Yesterday, at("2026-11-25T06:25:00Z"));
        conversion(&world.view(), &query).unwrap().sections.remove(0).failures
    }

    #[test]
    fn every_attempt_has_one_outcome() {
        let on = "2026-11-24";
        let failures = shown(&[
            (on, attempts(Status::Succeeded, "alipay", "", 80)),
            (on, attempts(Status::Authorized, "alipay", "", 2)),
            (on, attempts(Status::Failed, "alipay", "ACQ.BUYER_BALANCE_NOT_ENOUGH", 8)),
            (on, attempts(Status::Failed, "alipay", "ACQ.SYSTEM_ERROR", 3)),
            (on, attempts(Status::Failed, "alipay", "ACQ.INVALID_PARAMETER", 1)),
            (on, attempts(Status::Failed, "alipay", "NEVER_SEEN", 2)),
            (on, attempts(Status::Blocked, "alipay", "", 1)),
            (on, attempts(Status::Expired, "alipay", "", 4)),
            (on, attempts(Status::Pending, "alipay", "", 5)),
            (on, attempts(Status::Underpaid, "alipay", "", 1)),
        ]);
        let outcomes = failures.outcomes.value;
        assert_eq!((outcomes.all().count, outcomes.all().amount), (107, 107_000));
        assert_eq!(outcomes.authorization(), Proportion { hits: 82, of: 92 });
        assert_eq!(outcomes.technical_share(), Proportion { hits: 3, of: 107 });
        assert_eq!((outcomes.risk.count, outcomes.left.count, outcomes.open.count), (1, 4, 5));
        let rows: i64 = failures.reasons.iter().map(|row| row.attempts.value).sum();
        assert_eq!(rows, 8 + 3 + 1 + 2 + 1 + 4);
    }

    #[test]
    fn one_reason_has_the_codes_of_all_providers() {
        let on = "2026-11-24";
        let failures = shown(&[
            (on, attempts(Status::Failed, "alipay", "ACQ.BUYER_BALANCE_NOT_ENOUGH", 2)),
            (on, attempts(Status::Failed, "wechat_pay", "NOTENOUGH", 4)),
            (on, attempts(Status::Failed, "wechat_pay", "SYSTEMERROR", 2)),
            ("2026-11-17", attempts(Status::Failed, "wechat_pay", "NOTENOUGH", 9)),
            ("2026-11-17", attempts(Status::Failed, "wechat_pay", "BANKERROR", 1)),
        ]);
        let first = &failures.reasons[0];
        assert_eq!(first.reason, Some(FailureReason::NotEnoughBalance));
        assert_eq!((first.attempts.value, first.amount, first.share_ppm), (6, 6_000, Some(750_000)));
        assert_eq!(first.attempts.pair.as_ref().map(|pair| (pair.now, pair.before)), Some((6, 9)));
        assert_eq!(first.codes.iter().map(|code| code.attempts).collect::<Vec<_>>(), [4, 2]);
        let last = failures.reasons.last().unwrap();
        assert_eq!((last.reason, last.attempts.value), (Some(FailureReason::BankUnavailable), 0));
    }
}
