use crate::analytics::CustomerCounts;
use crate::domain::Proportion;

use super::figure::{Compared, Pair};

/// How many customers pay, and how many come back. Customers are keyed hashes; no one is named.
#[derive(Clone, Debug, PartialEq)]
pub struct Customers {
    pub counts: Compared<CustomerCounts>,
    /// Of the customers, those with two payments or more in the period.
    pub returning: Compared<Proportion>,
    /// Of the payments, those whose customer is known: how much this page speaks of.
    pub referenced: Compared<Proportion>,
    /// Payments per known customer, in thousandths, half up; `None` without customers.
    pub payments_per_customer_milli: Compared<Option<i64>>,
}

/// Puts the period beside the earlier one: `like` and `before` are equally long (see [`super::Span::like`]).
pub fn customers(
    value: CustomerCounts,
    like: Option<CustomerCounts>,
    before: Option<CustomerCounts>,
) -> Customers {
    let pair = like.zip(before).map(|(now, before)| Pair { now, before });
    let counts = Compared { value, pair };
    Customers {
        returning: counts.map(|counts| Proportion { hits: counts.paying_more_than_once, of: counts.paying }),
        referenced: counts.map(|counts| Proportion {
            hits: counts.payments_with_reference,
            of: counts.payments_with_reference + counts.payments_without_reference,
        }),
        payments_per_customer_milli: counts.map(|counts| {
            let doubled = counts.payments_with_reference * 2_000 + counts.paying;
            (counts.paying > 0).then(|| doubled / (counts.paying * 2))
        }),
        counts,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn customers_who_come_back_are_a_share_of_those_known() {
        let now = CustomerCounts {
            paying: 9,
            paying_more_than_once: 6,
            payments_with_reference: 37,
            payments_without_reference: 3,
        };
        let before = CustomerCounts { paying: 4, paying_more_than_once: 1, ..now };
        let shown = customers(now, Some(now), Some(before));
        assert_eq!(shown.returning.value, Proportion { hits: 6, of: 9 });
        assert_eq!(shown.referenced.value, Proportion { hits: 37, of: 40 });
        assert_eq!(shown.payments_per_customer_milli.value, Some(4_111));
        assert_eq!(shown.returning.pair.map(|pair| pair.before), Some(Proportion { hits: 1, of: 4 }));
    }

    #[test]
    fn without_references_nothing_is_known_of_customers() {
        let none = CustomerCounts { payments_without_reference: 40, ..CustomerCounts::default() };
        let shown = customers(none, None, None);
        assert_eq!(shown.returning.value.share(), None);
        assert_eq!(shown.payments_per_customer_milli.value, None);
        assert_eq!(shown.referenced.value.share(), Some(0.0));
        assert_eq!(shown.counts.pair, None);
    }
}
