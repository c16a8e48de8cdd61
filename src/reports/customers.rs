use crate::domain::Proportion;

use super::figure::{Compared, Pair};

/// Payments by customers in a period, counted over rows. Customers are keyed hashes; no one is named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CustomerCounts {
    /// Payments posted.
    pub payments: i64,
    /// Of these, with a customer reference. Without one nobody can be recognised.
    pub with_reference: i64,
    /// Distinct customers.
    pub customers: i64,
    /// Of these, with two payments or more.
    pub paying_more_than_once: i64,
    /// Customers by number of payments: 1, 2, 3, 4 or 5, 6 to 10, 11 or more.
    pub by_payments: [i64; 6],
}

/// Upper ends of all but the last class of [`CustomerCounts::by_payments`].
pub const PAYMENT_CLASSES: [i64; 5] = [1, 2, 3, 5, 10];

impl CustomerCounts {
    /// Counts customers, each given by the number of their payments (above 0), out of `payments` in all.
    pub fn of(payments: i64, per_customer: impl IntoIterator<Item = i64>) -> Self {
        let mut counts = Self { payments, ..Self::default() };
        for paid in per_customer {
            counts.customers += 1;
            counts.with_reference += paid;
            counts.paying_more_than_once += i64::from(paid > 1);
            let class =
                PAYMENT_CLASSES.iter().position(|most| paid <= *most).unwrap_or(PAYMENT_CLASSES.len());
            if let Some(count) = counts.by_payments.get_mut(class) {
                *count += 1;
            }
        }
        counts
    }

    /// Of the customers, those who came back.
    pub fn returning(&self) -> Proportion {
        Proportion { hits: self.paying_more_than_once, of: self.customers }
    }

    /// Of the payments, those whose customer is known: how much this page speaks of.
    pub fn referenced(&self) -> Proportion {
        Proportion { hits: self.with_reference, of: self.payments }
    }

    /// Payments per customer; `None` without customers.
    #[expect(clippy::cast_precision_loss, reason = "a mean is shown, not computed with")]
    pub fn payments_per_customer(&self) -> Option<f64> {
        (self.customers > 0).then(|| self.with_reference as f64 / self.customers as f64)
    }
}

/// How many customers pay, and how many come back.
#[derive(Clone, Debug, PartialEq)]
pub struct Customers {
    pub counts: Compared<CustomerCounts>,
}

/// Puts the period beside the earlier one: `like` and `before` are equally long (see [`super::Span::like`]).
pub fn customers(
    value: CustomerCounts,
    like: Option<CustomerCounts>,
    before: Option<CustomerCounts>,
) -> Customers {
    let pair = like.zip(before).map(|(now, before)| Pair { now, before });
    Customers { counts: Compared { value, pair } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn customers_are_counted_by_how_often_they_pay() {
        let counts = CustomerCounts::of(40, [1, 1, 1, 2, 3, 4, 5, 8, 11]);
        assert_eq!((counts.customers, counts.with_reference, counts.paying_more_than_once), (9, 36, 6));
        assert_eq!(counts.by_payments, [3, 1, 1, 2, 1, 1]);
        assert_eq!(counts.by_payments.iter().sum::<i64>(), counts.customers);
        assert_eq!(counts.returning(), Proportion { hits: 6, of: 9 });
        assert_eq!(counts.referenced(), Proportion { hits: 36, of: 40 });
        assert_eq!(counts.payments_per_customer(), Some(4.0));
    }

    #[test]
    fn without_references_nothing_is_known_of_customers() {
        let counts = CustomerCounts::of(40, []);
        assert_eq!(counts.returning().share(), None);
        assert_eq!(counts.payments_per_customer(), None);
        assert_eq!(counts.referenced().share(), Some(0.0));
        assert_eq!(customers(counts, None, None).counts.pair, None);
    }
}
