//! Fees above the contract. Exact: integers of minor units, and only what rounding cannot explain.

use std::collections::BTreeMap;

use chrono::{Days, NaiveDate};

use crate::domain::{Currency, Instant};

use super::{Evidence, Finding, Loss, Severity, Verdict};

const PPM: i128 = 1_000_000;
/// Fewer payments on a day prove nothing.
const PAYMENTS_MIN: i64 = 3;
/// Days looked back for the run of overcharged days, and for what was charged before.
const LOOK_BACK_DAYS: u64 = 60;
/// Days with fees before a usual rate of its own is known.
const OWN_DAYS_MIN: usize = 14;

/// One day's fees of one provider at one store, in one currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FeeDay {
    /// Payments that state their fee.
    pub count: i64,
    /// Their amount, minor units.
    pub amount: i128,
    pub charged: i128,
    /// What the contract in force gives for them; `None`: no contract for all of them.
    pub contract: Option<i128>,
}

/// The fees of one provider at one store.
#[derive(Clone, Debug)]
pub struct Fees {
    pub currency: Currency,
    pub days: BTreeMap<NaiveDate, FeeDay>,
    /// Millionths of the contract in force on the last day, for the sentence.
    pub contract_ppm: Option<i64>,
    /// The rate an open episode was found by: a raise must not become the usual rate while it is told of.
    pub kept_ppm: Option<i64>,
}

/// Judges one provider's fees by the days up to `at`.
pub fn judge(fees: &Fees, at: Instant) -> Verdict {
    let today = at.date_naive();
    let from = today.checked_sub_days(Days::new(LOOK_BACK_DAYS)).unwrap_or(today);
    let days: Vec<(NaiveDate, FeeDay)> = fees
        .days
        .range(from..=today)
        .filter(|(_, day)| day.count >= PAYMENTS_MIN && day.amount > 0)
        .map(|(date, day)| (*date, *day))
        .collect();
    let Some((last_day, newest)) = days.last().copied() else { return Verdict::NoData };
    let by_contract = newest.contract.is_some();
    let own = if by_contract { None } else { fees.kept_ppm.or_else(|| median_ppm(&days)) };
    let expected_of = |day: &FeeDay| match (by_contract, own) {
        (true, _) => day.contract,
        (false, Some(ppm)) => Some(rounded(day.amount * i128::from(ppm))),
        (false, None) => None,
    };
    if expected_of(&newest).is_none() {
        return Verdict::Learning;
    }
    let run: Vec<_> = days
        .iter()
        .rev()
        .map_while(|(date, day)| {
            let expected = expected_of(day)?;
            is_over(day, expected, by_contract).then_some((*date, *day, expected))
        })
        .collect();
    let Some((first_day, _, _)) = run.last().copied() else { return Verdict::Calm };
    let total =
        run.iter().fold(FeeDay { contract: Some(0), ..FeeDay::default() }, |sum, (_, day, expected)| {
            FeeDay {
                count: sum.count + day.count,
                amount: sum.amount + day.amount,
                charged: sum.charged + day.charged,
                contract: sum.contract.map(|known| known + expected),
            }
        });
    let expected = total.contract.unwrap_or(0);
    // Less than one major unit in all is not worth a message yet.
    if total.charged - expected < i128::from(fees.currency.minor_per_major()) {
        return Verdict::Calm;
    }
    let reference_ppm = if by_contract { fees.contract_ppm } else { own };
    Verdict::Alarm(Box::new(Finding {
        onset_at: first_day.and_time(chrono::NaiveTime::MIN).and_utc(),
        severity: Severity::Warning,
        loss: Some(Loss { minor: total.charged - expected, currency: fees.currency }),
        evidence: Evidence::FeeMismatch {
            first_day,
            last_day,
            days: i64::try_from(run.len()).unwrap_or(i64::MAX),
            count: total.count,
            amount: total.amount,
            charged: total.charged,
            expected,
            currency: fees.currency,
            reference_ppm: reference_ppm.unwrap_or_else(|| ppm_of(expected, total.amount)),
            by_contract,
        },
    }))
}

/// Over the reference by more than half a minor unit a payment, all that rounding half up can add; against its own past
/// also by 2 % of the fee, for a usual rate is no contract.
fn is_over(day: &FeeDay, expected: i128, by_contract: bool) -> bool {
    let over = day.charged - expected;
    2 * over > i128::from(day.count) && (by_contract || 50 * over > expected)
}

/// The middle one of the daily rates, in millionths; `None` with too few days.
fn median_ppm(days: &[(NaiveDate, FeeDay)]) -> Option<i64> {
    if days.len() < OWN_DAYS_MIN {
        return None;
    }
    let mut rates: Vec<i64> = days.iter().map(|(_, day)| ppm_of(day.charged, day.amount)).collect();
    rates.sort_unstable();
    rates.get(rates.len() / 2).copied()
}

/// A fee as millionths of an amount, rounded.
pub fn ppm_of(fee: i128, amount: i128) -> i64 {
    if amount == 0 {
        0
    } else {
        i64::try_from((fee * PPM + amount / 2).div_euclid(amount)).unwrap_or(i64::MAX)
    }
}

fn rounded(micro: i128) -> i128 {
    (micro + PPM / 2).div_euclid(PPM)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 30 days of 100 payments of together ¥3,200 at 0.38 %, from the 20th on at `raised` millionths.
    fn fees(raised: i128, contract: bool) -> Fees {
        let first: NaiveDate = "2026-11-01".parse().unwrap();
        let days = (0..30)
            .map(|offset| {
                let amount = 320_000;
                let rate = if offset >= 19 { raised } else { 3_800 };
                let expected = contract.then(|| rounded(amount * 3_800));
                let day = FeeDay { count: 100, amount, charged: rounded(amount * rate), contract: expected };
                (first + Days::new(offset), day)
            })
            .collect();
        Fees { currency: Currency::CNY, days, contract_ppm: contract.then_some(3_800), kept_ppm: None }
    }

    fn now() -> Instant {
        "2026-11-30T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_raise_is_told_from_its_first_day_on_with_the_exact_difference() {
        for contract in [true, false] {
            let Verdict::Alarm(finding) = judge(&fees(6_000, contract), now()) else { panic!() };
            let Evidence::FeeMismatch {
                first_day, days, charged, expected, reference_ppm, by_contract, ..
            } = finding.evidence
            else {
                panic!()
            };
            assert_eq!(first_day, "2026-11-20".parse().unwrap());
            assert_eq!((days, charged, expected), (11, 11 * 1_920, 11 * 1_216));
            assert_eq!((reference_ppm, by_contract), (3_800, contract));
            assert_eq!(finding.loss.unwrap().minor, 11 * 704);
        }
    }

    #[test]
    fn what_rounding_can_explain_is_no_overcharge() {
        // 50 fen on 100 payments is what rounding each half up can add at most.
        let mut rounded_up = fees(3_800, true);
        for day in rounded_up.days.values_mut() {
            day.charged += 50;
        }
        assert_eq!(judge(&rounded_up, now()), Verdict::Calm);
        for day in rounded_up.days.values_mut() {
            day.charged += 1;
        }
        assert!(matches!(judge(&rounded_up, now()), Verdict::Alarm(_)));
    }

    #[test]
    fn a_corrected_rate_is_calm_again_and_no_contract_needs_a_history() {
        let mut corrected = fees(6_000, true);
        let last = *corrected.days.keys().next_back().unwrap();
        corrected.days.insert(last, FeeDay { charged: 1_216, ..corrected.days[&last] });
        assert_eq!(judge(&corrected, now()), Verdict::Calm);
        let mut young = fees(6_000, false);
        young.days = young.days.into_iter().skip(20).collect();
        assert_eq!(judge(&young, now()), Verdict::Learning);
        // The rate an episode was found by stays, however long the raise lasts.
        let kept = Fees { kept_ppm: Some(3_800), ..young };
        assert!(matches!(judge(&kept, now()), Verdict::Alarm(_)));
    }
}
