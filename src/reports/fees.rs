use std::collections::BTreeMap;
use std::ops::AddAssign;

use crate::analytics::View;
use crate::domain::{ContractRate, Currency, DayError, Word};

use super::fee_basis::{Movement, Movements};
use super::figure::{Bucket, Compared, Ladder, ratio_ppm};
use super::overview::{Sides, currencies, row_of};
use super::period::{Span, Step};
use super::query::{Query, Settings};
use super::tally::Tally;
use super::walk::{Place, before_is_known, buckets, known_buckets};

/// What the shop really pays.
#[derive(Clone, Debug, PartialEq)]
pub struct Fees {
    pub spans: Vec<Span>,
    pub step: Step,
    pub buckets: Vec<Bucket>,
    /// The first store's currency first. Empty: no data.
    pub sections: Vec<FeesSection>,
}

/// One currency.
#[derive(Clone, Debug, PartialEq)]
pub struct FeesSection {
    pub currency: Currency,
    /// `ladder.fees` holds charged, estimated, unknown; rates are its methods.
    pub ladder: Compared<Ladder>,
    pub audit: Audit,
    /// Per bucket; `None` is not begun or before data begin.
    pub series: Vec<Option<Ladder>>,
    pub before: Vec<Option<Ladder>>,
    /// Per provider and method, by fees, largest first.
    pub rows: Vec<FeesRow>,
    /// Rows of the breakdown asked for; they add up to `ladder`. Empty without one.
    pub breakdown: Vec<FeesBreakdownRow>,
}

/// One provider and method.
#[derive(Clone, Debug, PartialEq)]
pub struct FeesRow {
    pub provider: Word,
    pub method: Word,
    pub ladder: Compared<Ladder>,
    pub audit: Audit,
    /// The contract in force on the last day; `None` without one, or where stores have different ones.
    pub contract: Option<ContractRate>,
    pub series: Vec<FeesPoint>,
}

/// One bucket of a provider and method.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeesPoint {
    /// Effective rate of what is charged; `None` without charged fees.
    pub charged_ppm: Option<i128>,
    /// What the contract says for the same payments; `None` without one.
    pub contract_ppm: Option<i128>,
}

/// One row of a breakdown.
#[derive(Clone, Debug, PartialEq)]
pub struct FeesBreakdownRow {
    pub key: Word,
    pub ladder: Compared<Ladder>,
    pub audit: Audit,
}

/// Charged against contract, over the payments that have both. Minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    pub count: i64,
    pub amount: i128,
    pub charged: i128,
    /// By the contract in force on each payment's day.
    pub expected: i128,
    /// Payments with a stated fee and no contract.
    pub without_contract_count: i64,
}

/// How an audit comes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing to compare: no stated fee, or no contract.
    Unknown,
    /// The difference may be rounding: providers round each payment, sums are rounded once.
    Agrees,
    Over,
    Under,
}

impl Audit {
    /// Charged − expected; above 0 the provider took too much. `None` when nothing can be compared.
    pub fn difference(&self) -> Option<i128> {
        (self.count > 0).then(|| self.charged - self.expected)
    }

    /// As much as rounding each payment can explain: half a minor unit a payment.
    pub fn rounding_max(&self) -> i128 {
        (i128::from(self.count) + 1) / 2
    }

    /// Whether the difference is more than rounding.
    pub fn verdict(&self) -> Verdict {
        match self.difference() {
            None => Verdict::Unknown,
            Some(difference) if difference.abs() <= self.rounding_max() => Verdict::Agrees,
            Some(difference) if difference > 0 => Verdict::Over,
            Some(_) => Verdict::Under,
        }
    }

    fn of<'a>(movement: &Movement, contract: impl FnOnce() -> Option<&'a ContractRate>) -> Self {
        let fees = &movement.ladder.fees;
        if fees.charged_count == 0 {
            return Self::default();
        }
        match contract() {
            Some(rate) => Self {
                count: fees.charged_count,
                amount: fees.charged_amount,
                charged: fees.charged,
                expected: rate.fee_of_many(fees.charged_count, fees.charged_amount),
                without_contract_count: 0,
            },
            None => Self { without_contract_count: fees.charged_count, ..Self::default() },
        }
    }
}

impl AddAssign for Audit {
    fn add_assign(&mut self, other: Self) {
        self.count += other.count;
        self.amount += other.amount;
        self.charged += other.charged;
        self.expected += other.expected;
        self.without_contract_count += other.without_contract_count;
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    currency: Word,
    place: Place,
    provider: Word,
    method: Word,
    row: Word,
}

#[derive(Clone, Copy, Default)]
struct Sums {
    ladder: Ladder,
    audit: Audit,
}

impl AddAssign for Sums {
    fn add_assign(&mut self, other: Self) {
        self.ladder += other.ladder;
        self.audit += other.audit;
    }
}

struct Frame<'a> {
    query: &'a Query,
    settings: &'a Settings,
    spans: &'a [Span],
    before: bool,
    known: Vec<bool>,
    known_before: Vec<bool>,
}

/// Works out the fees.
///
/// # Errors
/// [`DayError`] at the ends of the calendar.
pub fn fees(view: &View, settings: &Settings, query: &Query) -> Result<Fees, DayError> {
    let spans = query.spans()?;
    let mut tally = Tally::new();
    let movements = Movements::of(view, query, settings, &spans);
    movements.each(Movements::detail_asked(query), |movement| {
        let key = Key {
            currency: movement.key.currency,
            place: movement.place,
            provider: movement.key.provider,
            method: movement.key.method,
            row: row_of(query, movement),
        };
        let audit = Audit::of(movement, || movements.contract(movement));
        tally.add(key, Sums { ladder: movement.ladder, audit });
    });
    let frame = Frame {
        query,
        settings,
        spans: &spans,
        before: before_is_known(view, query, &spans),
        known: known_buckets(view, query, &spans, false),
        known_before: known_buckets(view, query, &spans, true),
    };
    let sections = currencies(query, tally.rows().map(|(key, _)| key.currency))
        .into_iter()
        .map(|currency| section(currency, &tally, &frame))
        .collect();
    Ok(Fees { step: query.step(), buckets: buckets(query, &spans), sections, spans })
}

fn section(currency: Currency, tally: &Tally<Key, Sums>, frame: &Frame<'_>) -> FeesSection {
    let code = Word::of(currency.code());
    let mut total = Sides::<Ladder>::default();
    let mut audit = Audit::default();
    let mut points = vec![(Ladder::default(), Ladder::default()); frame.known.len()];
    let mut rows: BTreeMap<(Word, Word), RowSums> = BTreeMap::new();
    let mut broken_down: BTreeMap<Word, RowSums> = BTreeMap::new();
    for (key, sums) in tally.rows().filter(|(key, _)| key.currency == code) {
        total.add(key.place, sums.ladder);
        if let Some((now, before)) = points.get_mut(key.place.bucket) {
            *if key.place.before { before } else { now } += sums.ladder;
        }
        if !key.place.before {
            audit += sums.audit;
        }
        rows.entry((key.provider, key.method)).or_default().add(key.place, sums, frame.known.len());
        broken_down.entry(key.row).or_default().add(key.place, sums, 0);
    }
    let shown = |known: &[bool], ladders: Vec<Ladder>| -> Vec<Option<Ladder>> {
        ladders.into_iter().zip(known).map(|(ladder, known)| known.then_some(ladder)).collect()
    };
    let (now, before): (Vec<_>, Vec<_>) = points.into_iter().unzip();
    FeesSection {
        currency,
        ladder: total.compared(frame.before),
        audit,
        series: shown(&frame.known, now),
        before: shown(&frame.known_before, before),
        rows: fees_rows(rows, frame),
        breakdown: breakdown(broken_down, frame),
    }
}

#[derive(Default)]
struct RowSums {
    ladder: Sides<Ladder>,
    audit: Audit,
    series: Vec<Sums>,
}

impl RowSums {
    fn add(&mut self, place: Place, sums: &Sums, buckets: usize) {
        self.ladder.add(place, sums.ladder);
        if place.before {
            return;
        }
        self.audit += sums.audit;
        self.series.resize(buckets, Sums::default());
        if let Some(point) = self.series.get_mut(place.bucket) {
            *point += *sums;
        }
    }
}

fn fees_rows(rows: BTreeMap<(Word, Word), RowSums>, frame: &Frame<'_>) -> Vec<FeesRow> {
    let mut rows: Vec<_> = rows
        .into_iter()
        .map(|((provider, method), mut sums)| {
            sums.series.resize(frame.known.len(), Sums::default());
            FeesRow {
                provider,
                method,
                ladder: sums.ladder.compared(frame.before),
                audit: sums.audit,
                contract: contract_now(frame, if provider.is_none() { method } else { provider }, method),
                series: sums.series.iter().map(point).collect(),
            }
        })
        .collect();
    rows.sort_by_key(|row| {
        let ladder = &row.ladder.value;
        (-ladder.fees.total().unwrap_or(0), -ladder.paid, row.provider, row.method)
    });
    rows
}

fn point(sums: &Sums) -> FeesPoint {
    let fees = &sums.ladder.fees;
    FeesPoint {
        charged_ppm: ratio_ppm(fees.charged, fees.charged_amount),
        contract_ppm: ratio_ppm(
            sums.audit.expected + fees.estimated,
            sums.audit.amount + fees.estimated_amount,
        ),
    }
}

/// The one contract of all stores on their last day.
fn contract_now(frame: &Frame<'_>, provider: Word, method: Word) -> Option<ContractRate> {
    let mut found: Option<ContractRate> = None;
    for span in frame.spans {
        let store = frame.query.stores.get(span.store)?;
        let rate = ContractRate::in_force(&frame.settings.contracts, store.id, provider, method, span.last)?;
        let same =
            |other: &ContractRate| (other.rate_ppm, other.fixed_minor) == (rate.rate_ppm, rate.fixed_minor);
        if found.as_ref().is_some_and(|found| !same(found)) {
            return None;
        }
        found = Some(*rate);
    }
    found
}

fn breakdown(rows: BTreeMap<Word, RowSums>, frame: &Frame<'_>) -> Vec<FeesBreakdownRow> {
    if frame.query.by.is_none() {
        return Vec::new();
    }
    let mut rows: Vec<_> = rows
        .into_iter()
        .map(|(key, sums)| FeesBreakdownRow {
            key,
            ladder: sums.ladder.compared(frame.before),
            audit: sums.audit,
        })
        .collect();
    rows.sort_by_key(|row| {
        let ladder = &row.ladder.value;
        (-ladder.fees.total().unwrap_or(0), -ladder.paid, row.key)
    });
    rows
}

#[cfg(test)]
mod tests {
    use super::super::Breakdown;
    use super::super::period::Period;
    use super::super::testing::{Cell, World, at, contract, day, paid, query};
    use super::*;

    const NOW: &str = "2026-11-25T06:25:00Z";

    fn of(world: World, settings: &Settings) -> Fees {
        let mut query = query(Period::LastDays(7), at(NOW));
        query.by = Some(Breakdown::Provider);
        fees(&world.view(), settings, &query).unwrap()
    }

    #[test]
    fn a_provider_that_takes_more_than_agreed_is_found() {
        // Agreed 0.38 %, charged 0.60 %.
        let world = World::default()
            .with("2026-11-20T04:00:00Z", paid(10, 1_000_000).fee(6_000))
            .with("2026-11-21T04:00:00Z", paid(10, 1_000_000).by("alipay").fee(5_503));
        let settings = Settings {
            contracts: [contract("wechat_pay", 3_800), contract("alipay", 5_500)]
                .map(|one| one.contracts)
                .concat(),
        };
        let shown = of(world, &settings);
        let section = &shown.sections[0];
        assert_eq!(section.ladder.value.fees.rate_ppm(), Some(5_752)); // 11,503 of 2,000,000
        let wechat = &section.rows[0];
        assert_eq!(wechat.provider.as_str(), "wechat_pay");
        assert_eq!((wechat.audit.expected, wechat.audit.difference()), (3_800, Some(2_200)));
        assert_eq!(wechat.audit.verdict(), Verdict::Over);
        assert_eq!(wechat.contract.map(|rate| rate.rate_ppm), Some(3_800));
        // 3 fen over ten payments may be rounding.
        let alipay = &section.rows[1];
        assert_eq!((alipay.audit.difference(), alipay.audit.verdict()), (Some(3), Verdict::Agrees));
        // The 20th is the second of seven days.
        assert_eq!(wechat.series[1], FeesPoint { charged_ppm: Some(6_000), contract_ppm: Some(3_800) });
        assert_eq!(wechat.series[2], FeesPoint::default());
        assert_eq!(section.audit.difference(), Some(2_203));
    }

    #[test]
    fn without_a_contract_there_is_no_verdict_and_without_a_fee_no_rate() {
        let world = World::default()
            .with("2026-11-20T04:00:00Z", paid(2, 20_000).fee(120))
            .with("2026-11-21T04:00:00Z", paid(1, 30_000).by("alipay"));
        let shown = of(world, &Settings::default());
        let section = &shown.sections[0];
        assert_eq!(section.rows[0].audit.verdict(), Verdict::Unknown);
        assert_eq!(section.rows[0].audit.without_contract_count, 2);
        assert_eq!(section.rows[1].ladder.value.fees.total(), None);
        assert_eq!(section.rows[1].ladder.value.fees.rate_ppm(), None);
        assert_eq!(section.ladder.value.fees.known_ppm(), Some(400_000));
        assert_eq!(section.ladder.value.fees.rate_ppm(), Some(6_000));
    }

    #[test]
    fn a_contract_holds_from_its_day_on() {
        let mut settings = contract("wechat_pay", 6_000);
        settings.contracts.push(ContractRate {
            valid_from: day("2026-11-22"),
            rate_ppm: 5_000,
            ..settings.contracts[0]
        });
        let world = World::default()
            .with("2026-11-21T15:00:00Z", paid(1, 100_000).fee(600)) // 23:00 on the 21st in Beijing
            .with("2026-11-21T16:00:00Z", paid(1, 100_000).fee(600)) // the 22nd
            .with("2026-11-23T04:00:00Z", paid(1, 100_000)); // estimated
        let shown = of(world, &settings);
        let section = &shown.sections[0];
        assert_eq!((section.audit.charged, section.audit.expected), (1_200, 1_100));
        assert_eq!(section.ladder.value.fees.estimated, 500);
        assert!(section.ladder.value.fees.is_estimated());
    }

    #[test]
    fn rows_add_up_to_the_total() {
        let line = paid(1, 500).billed("1230000109", 0);
        let world = World::default()
            .with("2026-11-20T04:00:00Z", paid(2, 20_000).fee(120))
            .with("2026-11-20T04:00:00Z", paid(2, 20_000).billed("1230000109", 121))
            .with("2026-11-21T04:00:00Z", line.kind(crate::analytics::MoneyKind::Fee))
            .with("2026-11-21T04:00:00Z", Cell { currency: "USD", ..paid(1, 30_000).by("card") })
            .with("2026-11-22T04:00:00Z", paid(1, 30_000).by("alipay"));
        let shown = of(world, &contract("alipay", 6_000));
        for section in &shown.sections {
            let mut rows = Ladder::default();
            section.rows.iter().for_each(|row| rows += row.ladder.value);
            assert_eq!(rows, section.ladder.value);
            let mut rows = Ladder::default();
            section.breakdown.iter().for_each(|row| rows += row.ladder.value);
            assert_eq!(rows, section.ladder.value);
        }
        assert_eq!(shown.sections[0].ladder.value.fees.total(), Some(121 + 500 + 180));
    }
}
