use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;

use crate::analytics::{Evidence, Evidences, Shows, Way};
use crate::domain::{Instant, Word};

use super::fees::{Audit, Fees, Verdict};
use super::query::Settings;

/// How many days back fees are compared with the contract.
pub const GO_LIVE_FEE_DAYS: u16 = 90;
/// Ways to pay that no provider takes part in.
const BY_HAND: [&str; 2] = ["cash", "stored_value"];

/// What has to be seen of a way to pay before one can rely on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    Paid,
    Refunded,
    Notified,
    Fee,
    Arrived,
}

impl Check {
    /// Every check, in the order of the list.
    pub const ALL: [Self; 5] = [Self::Paid, Self::Refunded, Self::Notified, Self::Fee, Self::Arrived];

    /// Its name in texts.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Paid => "paid",
            Self::Refunded => "refunded",
            Self::Notified => "notified",
            Self::Fee => "fee",
            Self::Arrived => "arrived",
        }
    }
}

/// What the records say to a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// This record shows it.
    Shown(Evidence),
    /// So many payments were charged as signed.
    FeeAsSigned(i64),
    /// Charged against signed, in minor units, more than rounding explains.
    FeeDiffers(i64),
    /// A payout was found on a bank statement of this day.
    Arrived(NaiveDate),
    /// The provider's bill shows a payout, but no bank statement does.
    PaidOut(Instant),
    /// Nothing shows it yet.
    Missing,
    /// Nothing could show it: what is missing is named in texts by this word.
    NotMeasured(&'static str),
    /// There is no such thing here.
    DoesNotApply,
}

impl Proof {
    /// True when it is shown.
    pub const fn is_done(&self) -> bool {
        matches!(self, Self::Shown(_) | Self::FeeAsSigned(_) | Self::Arrived(_))
    }

    /// True when something is to be done.
    pub const fn is_open(&self) -> bool {
        !self.is_done() && !matches!(self, Self::DoesNotApply)
    }
}

/// One way to pay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoLiveRow {
    pub provider: Word,
    pub method: Word,
    /// In test mode and live, in the order of [`Check::ALL`].
    pub test: [Proof; 5],
    pub live: [Proof; 5],
}

/// The checklist of every way to pay that has records or a contract. Nothing is ticked by hand.
///
/// `arrived` is when a payout of a provider was last found at the bank.
pub fn go_live(
    evidences: &Evidences,
    fees: &Fees,
    settings: &Settings,
    arrived: &BTreeMap<Word, NaiveDate>,
) -> Vec<GoLiveRow> {
    let mut ways: BTreeSet<(Word, Word)> =
        evidences.ways.iter().map(|way| (way.provider, way.method)).collect();
    for contract in &settings.contracts {
        if let Some(method) = contract.method {
            ways.insert((contract.provider, method));
        }
    }
    // A refund often names no method: it is none of its own where the provider's are known.
    let named: BTreeSet<Word> =
        ways.iter().filter(|(_, method)| !method.is_none()).map(|(provider, _)| *provider).collect();
    ways.retain(|(provider, method)| !method.is_none() || !named.contains(provider));
    ways.iter()
        .map(|(provider, method)| {
            let only = ways.iter().filter(|(of, _)| of == provider).count() == 1;
            let of = |test: bool, check: Check| {
                let way = Way { provider: *provider, method: *method, test };
                match arrived.get(provider).filter(|_| check == Check::Arrived && !test) {
                    Some(day) => Proof::Arrived(*day),
                    None => proof(evidences, fees, way, only, check),
                }
            };
            GoLiveRow {
                provider: *provider,
                method: *method,
                test: Check::ALL.map(|check| of(true, check)),
                live: Check::ALL.map(|check| of(false, check)),
            }
        })
        .collect()
}

fn proof(evidences: &Evidences, fees: &Fees, way: Way, only: bool, check: Check) -> Proof {
    let by_hand = BY_HAND.contains(&way.method.as_str());
    let found = |shows: Shows| {
        let own = evidences.found.get(&(way, shows));
        // Without a method it can only be of the provider's one way.
        let bare = Way { method: Word::NONE, ..way };
        own.or_else(|| evidences.found.get(&(bare, shows)).filter(|_| only))
    };
    match check {
        // There is no sandbox for a drawer.
        _ if by_hand && way.test => Proof::DoesNotApply,
        Check::Paid => found(Shows::Paid).map_or(Proof::Missing, |evidence| Proof::Shown(*evidence)),
        Check::Refunded => found(Shows::Refunded).map_or(Proof::Missing, |evidence| Proof::Shown(*evidence)),
        Check::Notified | Check::Fee | Check::Arrived if by_hand => Proof::DoesNotApply,
        Check::Notified => match found(Shows::Notified) {
            Some(evidence) => Proof::Shown(*evidence),
            None => Proof::NotMeasured("notified"),
        },
        // Nobody charges or pays out in test mode.
        Check::Fee | Check::Arrived if way.test => Proof::DoesNotApply,
        Check::Fee => fee(fees, way),
        Check::Arrived => match evidences.payouts.get(&way.provider) {
            Some(at) => Proof::PaidOut(*at),
            None => Proof::NotMeasured("arrived"),
        },
    }
}

fn fee(fees: &Fees, way: Way) -> Proof {
    let mut differs = None;
    let mut sum = Audit::default();
    for section in &fees.sections {
        for row in section.rows.iter().filter(|row| (row.provider, row.method) == (way.provider, way.method))
        {
            sum.count += row.audit.count;
            sum.without_contract_count += row.audit.without_contract_count;
            if matches!(row.audit.verdict(), Verdict::Over | Verdict::Under) {
                differs = Some(row.audit.count);
            }
        }
    }
    match (differs, sum.count, sum.without_contract_count) {
        (Some(count), _, _) => Proof::FeeDiffers(count),
        (None, 0, 0) => Proof::NotMeasured("bill"),
        (None, 0, _) => Proof::NotMeasured("contract"),
        (None, count, _) => Proof::FeeAsSigned(count),
    }
}

#[cfg(test)]
mod tests {
    use crate::domain::{RecordKey, StoreId};

    use super::super::testing::{at, day};
    use super::*;

    fn way(provider: &str, method: &str, test: bool) -> Way {
        Way { provider: Word::of(provider), method: Word::of(method), test }
    }

    fn evidence(id: u64) -> Evidence {
        Evidence {
            key: RecordKey { high: id, low: 0 },
            day: day("2026-11-20"),
            store: StoreId(1),
            at: at("2026-11-20T01:00:00Z"),
        }
    }

    fn nothing() -> Fees {
        Fees {
            spans: Vec::new(),
            step: super::super::period::Step::Day,
            buckets: Vec::new(),
            sections: Vec::new(),
        }
    }

    #[test]
    fn a_way_to_pay_is_as_ready_as_its_records_show() {
        let ways = [
            way("wechat_pay", "wechat_pay", false),
            way("wechat_pay", "", false),
            way("wechat_pay", "wechat_pay", true),
            way("", "cash", false),
        ];
        let evidences = Evidences {
            found: BTreeMap::from([
                ((ways[0], Shows::Paid), evidence(1)),
                ((ways[1], Shows::Refunded), evidence(2)),
                ((ways[2], Shows::Paid), evidence(3)),
                ((ways[2], Shows::Notified), evidence(3)),
                ((ways[3], Shows::Paid), evidence(4)),
            ]),
            ways: ways.into_iter().collect(),
            payouts: BTreeMap::from([(Word::of("wechat_pay"), at("2026-11-21T01:00:00Z"))]),
            since: Some(day("2026-11-01")),
            is_cut: false,
        };
        let rows = go_live(&evidences, &nothing(), &Settings::default(), &BTreeMap::new());
        assert_eq!(rows.len(), 2, "a refund without a method is no way of its own: {rows:?}");
        let cash = rows.iter().find(|row| row.method == Word::of("cash")).unwrap();
        assert_eq!(cash.live[2..], [Proof::DoesNotApply; 3]);
        let wechat = rows.iter().find(|row| row.method == Word::of("wechat_pay")).unwrap();
        assert_eq!(
            wechat.live,
            [
                Proof::Shown(evidence(1)),
                Proof::Shown(evidence(2)),
                Proof::NotMeasured("notified"),
                Proof::NotMeasured("bill"),
                Proof::PaidOut(at("2026-11-21T01:00:00Z")),
            ]
        );
        assert_eq!(wechat.test[..3], [Proof::Shown(evidence(3)), Proof::Missing, Proof::Shown(evidence(3))]);
        assert_eq!(wechat.test[3..], [Proof::DoesNotApply; 2]);
        let arrived = BTreeMap::from([(Word::of("wechat_pay"), day("2026-11-22"))]);
        let later = go_live(&evidences, &nothing(), &Settings::default(), &arrived);
        let wechat_later = later.iter().find(|row| row.method == Word::of("wechat_pay")).unwrap();
        assert_eq!(wechat_later.live[4], Proof::Arrived(day("2026-11-22")));
        assert_eq!(wechat_later.test[4], Proof::DoesNotApply);
        let done = wechat.live.iter().filter(|proof| proof.is_done()).count();
        assert_eq!((done, wechat.live.iter().filter(|proof| proof.is_open()).count()), (2, 3));
    }
}
