use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{Proportion, STEPS, Step};

use super::figure::{Compared, Pair};

/// The way to payment, in order. Failures, refunds and cancellations are no steps forward.
pub const WAY: [Step; 7] = [
    Step::ViewItem,
    Step::AddToCart,
    Step::BeginCheckout,
    Step::AddShippingInfo,
    Step::AddPaymentInfo,
    Step::PaymentAttempt,
    Step::Purchase,
];

/// Checkout sessions of a period, counted over rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionCounts {
    /// Sessions by the furthest step of [`WAY`] they reached.
    pub furthest: BTreeMap<Step, i64>,
    /// Sessions with an event of each step, whatever else they have.
    pub with_step: BTreeMap<Step, i64>,
}

impl SessionCounts {
    /// Counts sessions, each given by the steps it has events of.
    pub fn of(sessions: impl IntoIterator<Item = BTreeSet<Step>>) -> Self {
        let mut counts = Self::default();
        for steps in sessions {
            if let Some(furthest) = WAY.iter().rev().find(|step| steps.contains(step)) {
                *counts.furthest.entry(*furthest).or_default() += 1;
            }
            for step in steps {
                *counts.with_step.entry(step).or_default() += 1;
            }
        }
        counts
    }

    /// Sessions that came to this step of the way or beyond: a shop that leaves out an event loses no session.
    fn reached(&self, step: Step) -> i64 {
        WAY.iter()
            .skip_while(|other| **other != step)
            .map(|step| self.furthest.get(step).copied().unwrap_or(0))
            .sum()
    }
}

/// Where shoppers turn back.
#[derive(Clone, Debug, PartialEq)]
pub struct Funnel {
    /// The steps the shop reports, in order; others are not known and left out. Empty: no data.
    pub steps: Vec<FunnelStep>,
    /// Sessions with a failed attempt, a refund, a cancellation.
    pub asides: Vec<(Step, Compared<i64>)>,
    /// Steps of the way of which no event ever came: the page names them.
    pub missing: Vec<Step>,
}

/// One step.
#[derive(Clone, Debug, PartialEq)]
pub struct FunnelStep {
    pub step: Step,
    pub sessions: Compared<i64>,
    /// Out of the step before; of the first step, out of itself.
    pub of_previous: Compared<Proportion>,
    /// Out of the first step.
    pub of_first: Compared<Proportion>,
}

/// Works out the funnel; `like` and `before` are equally long (see [`super::Span::like`]).
pub fn funnel(value: &SessionCounts, like: Option<&SessionCounts>, before: Option<&SessionCounts>) -> Funnel {
    let pair = like.zip(before);
    let seen = |step: &Step| {
        value.with_step.contains_key(step) || before.is_some_and(|before| before.with_step.contains_key(step))
    };
    let known: Vec<Step> = WAY.into_iter().filter(|step| seen(step)).collect();
    let compared = |figure: &dyn Fn(&SessionCounts) -> i64| Compared {
        value: figure(value),
        pair: pair.map(|(like, before)| Pair { now: figure(like), before: figure(before) }),
    };
    let share = |of: Step, step: Step| {
        let of_counts =
            |counts: &SessionCounts| Proportion { hits: counts.reached(step), of: counts.reached(of) };
        Compared {
            value: of_counts(value),
            pair: pair.map(|(like, before)| Pair { now: of_counts(like), before: of_counts(before) }),
        }
    };
    let first = known.first().copied();
    let previous = first.into_iter().chain(known.iter().copied());
    let steps = known
        .iter()
        .zip(previous)
        .map(|(step, previous)| FunnelStep {
            step: *step,
            sessions: compared(&|counts| counts.reached(*step)),
            of_previous: share(previous, *step),
            of_first: share(first.unwrap_or(*step), *step),
        })
        .collect();
    let asides = STEPS
        .into_iter()
        .filter(|step| !WAY.contains(step) && seen(step))
        .map(|step| (step, compared(&|counts| counts.with_step.get(&step).copied().unwrap_or(0))))
        .collect();
    let missing =
        if known.is_empty() { Vec::new() } else { WAY.into_iter().filter(|step| !seen(step)).collect() };
    Funnel { steps, asides, missing }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sessions(of: &[(&[Step], usize)]) -> SessionCounts {
        SessionCounts::of(
            of.iter().flat_map(|(steps, count)| std::iter::repeat_n(steps.iter().copied().collect(), *count)),
        )
    }

    #[test]
    fn each_step_is_out_of_the_one_before() {
        use Step::{AddToCart, BeginCheckout, PaymentAttempt, PaymentFailed, Purchase, ViewItem};
        let counts = sessions(&[
            (&[ViewItem], 50),
            (&[ViewItem, AddToCart], 20),
            (&[ViewItem, AddToCart, BeginCheckout], 10),
            (&[ViewItem, BeginCheckout, PaymentAttempt, PaymentFailed], 5),
            // An event was lost on the way: still counted at every earlier step.
            (&[Purchase], 15),
        ]);
        let shown = funnel(&counts, None, None);
        let rows: Vec<_> = shown
            .steps
            .iter()
            .map(|row| (row.step, row.of_previous.value.hits, row.of_previous.value.of))
            .collect();
        assert_eq!(
            rows,
            [
                (ViewItem, 100, 100),
                (AddToCart, 50, 100),
                (BeginCheckout, 30, 50),
                (PaymentAttempt, 20, 30),
                (Purchase, 15, 20)
            ]
        );
        assert_eq!(shown.steps[4].of_first.value, Proportion { hits: 15, of: 100 });
        assert_eq!(shown.asides, [(PaymentFailed, Compared { value: 5, pair: None })]);
        assert_eq!(shown.missing, [Step::AddShippingInfo, Step::AddPaymentInfo]);
    }

    #[test]
    fn a_funnel_of_nothing_has_no_steps() {
        let shown = funnel(&SessionCounts::default(), None, None);
        assert!(shown.steps.is_empty() && shown.missing.is_empty());
    }

    #[test]
    fn a_step_that_went_silent_is_shown_as_zero_of_before() {
        use Step::{BeginCheckout, Purchase};
        let now = sessions(&[(&[BeginCheckout], 7)]);
        let before = sessions(&[(&[BeginCheckout], 4), (&[BeginCheckout, Purchase], 6)]);
        let shown = funnel(&now, Some(&now), Some(&before));
        let purchase = &shown.steps[1];
        assert_eq!((purchase.step, purchase.sessions.value), (Purchase, 0));
        assert_eq!(
            purchase.of_previous.pair.as_ref().map(|pair| pair.before),
            Some(Proportion { hits: 6, of: 10 })
        );
    }
}
