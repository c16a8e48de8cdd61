use crate::analytics::{FunnelCounts, MAIN_WAY};
use crate::domain::{Proportion, Step};

use super::figure::{Compared, Pair};

/// Where shoppers turn back, by checkout session.
#[derive(Clone, Debug, PartialEq)]
pub struct Funnel {
    /// Sessions with any event.
    pub sessions: Compared<i64>,
    /// The steps the shop reports, in order; of others nothing is known and they are left out. Empty: no data.
    pub steps: Vec<FunnelStep>,
    /// Sessions with a failed attempt, a refund, a cancellation.
    pub asides: Vec<(Step, Compared<i64>)>,
    /// Steps of the way of which no event came: the page names them.
    pub missing: Vec<Step>,
}

/// One step.
#[derive(Clone, Debug, PartialEq)]
pub struct FunnelStep {
    pub step: Step,
    /// Sessions that came here or beyond: an event lost on the way loses no session.
    pub sessions: Compared<i64>,
    /// Out of the step before; of the first step, out of itself.
    pub of_previous: Compared<Proportion>,
    /// Out of the first step.
    pub of_first: Compared<Proportion>,
}

fn count(counts: &[(Step, i64)], step: Step) -> i64 {
    counts.iter().find(|(of, _)| *of == step).map_or(0, |(_, count)| *count)
}

/// Works out the funnel; `like` and `before` are equally long (see [`super::Span::like`]).
pub fn funnel(value: &FunnelCounts, like: Option<&FunnelCounts>, before: Option<&FunnelCounts>) -> Funnel {
    let pair = like.zip(before);
    let took = |step: Step| {
        count(&value.took, step) > 0 || before.is_some_and(|before| count(&before.took, step) > 0)
    };
    let figure = |figure: &dyn Fn(&FunnelCounts) -> i64| Compared {
        value: figure(value),
        pair: pair.map(|(like, before)| Pair { now: figure(like), before: figure(before) }),
    };
    let share = |of: Step, step: Step| {
        let share_of = |counts: &FunnelCounts| Proportion {
            hits: count(&counts.reached, step),
            of: count(&counts.reached, of),
        };
        Compared {
            value: share_of(value),
            pair: pair.map(|(like, before)| Pair { now: share_of(like), before: share_of(before) }),
        }
    };
    let known: Vec<Step> = MAIN_WAY.into_iter().filter(|step| took(*step)).collect();
    let first = known.first().copied();
    let steps = known
        .iter()
        .zip(first.into_iter().chain(known.iter().copied()))
        .map(|(step, previous)| FunnelStep {
            step: *step,
            sessions: figure(&|counts| count(&counts.reached, *step)),
            of_previous: share(previous, *step),
            of_first: share(first.unwrap_or(*step), *step),
        })
        .collect();
    let asides = value
        .took
        .iter()
        .map(|(step, _)| *step)
        .filter(|step| !MAIN_WAY.contains(step) && took(*step))
        .map(|step| (step, figure(&|counts| count(&counts.took, step))))
        .collect();
    let missing = if known.is_empty() {
        Vec::new()
    } else {
        MAIN_WAY.into_iter().filter(|step| !took(*step)).collect()
    };
    Funnel { sessions: figure(&|counts| counts.sessions), steps, asides, missing }
}

#[cfg(test)]
mod tests {
    use Step::{AddToCart, BeginCheckout, PaymentFailed, Purchase, ViewItem};

    use super::*;

    fn counts(sessions: i64, took: &[(Step, i64)], reached: &[(Step, i64)]) -> FunnelCounts {
        FunnelCounts { sessions, took: took.to_vec(), reached: reached.to_vec() }
    }

    #[test]
    fn each_step_is_out_of_the_one_before() {
        let now = counts(
            100,
            &[(ViewItem, 85), (AddToCart, 30), (BeginCheckout, 15), (PaymentFailed, 5), (Purchase, 15)],
            &[
                (ViewItem, 100),
                (AddToCart, 50),
                (BeginCheckout, 30),
                (Step::PaymentAttempt, 15),
                (Purchase, 15),
            ],
        );
        let shown = funnel(&now, None, None);
        let rows: Vec<_> = shown
            .steps
            .iter()
            .map(|row| (row.step, row.of_previous.value.hits, row.of_previous.value.of))
            .collect();
        assert_eq!(
            rows,
            [(ViewItem, 100, 100), (AddToCart, 50, 100), (BeginCheckout, 30, 50), (Purchase, 15, 30)]
        );
        assert_eq!(shown.steps[3].of_first.value, Proportion { hits: 15, of: 100 });
        assert_eq!(shown.asides, [(PaymentFailed, Compared { value: 5, pair: None })]);
        assert_eq!(shown.missing, [Step::AddShippingInfo, Step::AddPaymentInfo, Step::PaymentAttempt]);
    }

    #[test]
    fn a_funnel_of_nothing_has_no_steps() {
        let shown = funnel(&FunnelCounts::default(), None, None);
        assert!(shown.steps.is_empty() && shown.missing.is_empty());
    }

    #[test]
    fn a_step_that_went_silent_is_shown_as_zero() {
        let now = counts(7, &[(BeginCheckout, 7), (Purchase, 0)], &[(BeginCheckout, 7), (Purchase, 0)]);
        let before = counts(10, &[(BeginCheckout, 10), (Purchase, 6)], &[(BeginCheckout, 10), (Purchase, 6)]);
        let shown = funnel(&now, Some(&now), Some(&before));
        let purchase = &shown.steps[1];
        assert_eq!((purchase.step, purchase.sessions.value), (Purchase, 0));
        let was = purchase.of_previous.pair.as_ref().map(|pair| pair.before);
        assert_eq!(was, Some(Proportion { hits: 6, of: 10 }));
    }
}
