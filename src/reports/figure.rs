use std::ops::AddAssign;

use crate::domain::{BusinessDay, Instant};

/// A figure of the period, and the pair it is compared by.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Compared<T> {
    /// Of the whole period so far: what is shown.
    pub value: T,
    /// `None` when nothing is known of the earlier period.
    pub pair: Option<Pair<T>>,
}

/// Two figures over equally long spans. For a running period `now` ends with the last whole hour.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pair<T> {
    pub now: T,
    pub before: T,
}

impl<T> Compared<T> {
    /// The same comparison of something derived from the figure.
    pub fn map<U>(&self, mut derive: impl FnMut(&T) -> U) -> Compared<U> {
        Compared {
            value: derive(&self.value),
            pair: self
                .pair
                .as_ref()
                .map(|pair| Pair { now: derive(&pair.now), before: derive(&pair.before) }),
        }
    }
}

impl Compared<Option<i128>> {
    /// How much more (or less, negative) than before, as a share of before; `None` without a before above 0.
    #[expect(clippy::cast_precision_loss, reason = "a change is shown, not computed with")]
    pub fn change(&self) -> Option<f64> {
        let pair = self.pair.as_ref()?;
        let (now, before) = (pair.now?, pair.before?);
        (before > 0).then(|| (now - before) as f64 / before as f64)
    }
}

impl Compared<Option<f64>> {
    /// The difference of two shares (0.02 is two percentage points).
    pub fn difference(&self) -> Option<f64> {
        let pair = self.pair.as_ref()?;
        Some(pair.now? - pair.before?)
    }
}

/// What fees are known, estimated and unknown. Minor units of one currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FeeSums {
    /// Stated by bills or records, for payments.
    pub charged: i128,
    /// Of `charged`, given back with refunds.
    pub returned: i128,
    /// Fee lines of their own on bills: monthly fees, withdrawal fees. Not part of `charged`.
    pub separate: i128,
    /// From contract rates, for payments without a stated fee.
    pub estimated: i128,
    /// Paid amounts and payments whose fee is stated …
    pub charged_amount: i128,
    pub charged_count: i64,
    /// … estimated …
    pub estimated_amount: i128,
    pub estimated_count: i64,
    /// … and neither: no bill, no stated fee, no contract rate. Not 0.
    pub unknown_amount: i128,
    pub unknown_count: i64,
}

impl FeeSums {
    /// Charged and estimated, less what was returned; `None` when nothing is known of any payment.
    pub fn total(&self) -> Option<i128> {
        let known = self.charged_count > 0
            || self.estimated_count > 0
            || self.separate != 0
            || self.charged != 0
            || self.returned != 0;
        known.then(|| self.charged + self.estimated + self.separate - self.returned)
    }

    /// Fees of payments in millionths of their paid amount (effective rate), without fee lines of their own;
    /// half up. `None` when no amount has a known or estimated fee.
    pub fn rate_ppm(&self) -> Option<i128> {
        ratio_ppm(self.charged + self.estimated - self.returned, self.charged_amount + self.estimated_amount)
    }

    /// As [`FeeSums::rate_ppm`] with fee lines of their own: the all-in rate.
    pub fn all_in_rate_ppm(&self) -> Option<i128> {
        ratio_ppm(
            self.charged + self.estimated + self.separate - self.returned,
            self.charged_amount + self.estimated_amount,
        )
    }

    /// True when a part rests on contract rates: the page says "estimated".
    pub fn is_estimated(&self) -> bool {
        self.estimated_count > 0
    }

    /// The share of paid amount whose fee is stated, in millionths.
    pub fn known_ppm(&self) -> Option<i128> {
        ratio_ppm(self.charged_amount, self.charged_amount + self.estimated_amount + self.unknown_amount)
    }
}

/// `part` of `whole` in millionths, half up; `None` out of nothing.
pub(super) fn ratio_ppm(part: i128, whole: i128) -> Option<i128> {
    (whole > 0).then(|| (part * 2_000_000 + whole).div_euclid(whole * 2))
}

/// `total / count`, half up; `None` out of nothing.
pub(super) fn average(total: i128, count: i64) -> Option<i128> {
    let count = i128::from(count);
    (count > 0).then(|| (total * 2 + count).div_euclid(count * 2))
}

/// The way from list amount to what arrives, each rung exact. Minor units of one currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ladder {
    /// Payments posted (captured deposits included; stored value bought is not income and stands in `top_ups`).
    pub payments: i64,
    /// 应收.
    pub list: i128,
    pub discount_merchant: i128,
    pub discount_platform: i128,
    /// 实收, the volume (交易额).
    pub paid: i128,
    pub refunds: i64,
    pub refunded: i128,
    pub disputes: i64,
    /// Lost disputes.
    pub disputed: i128,
    pub fees: FeeSums,
    /// Tax inside the paid amount, where stated.
    pub tax: i128,
    pub top_ups: i64,
    /// Stored value bought: a liability.
    pub top_up_amount: i128,
}

impl Ladder {
    /// What lies between list and paid beside stated discounts (rounding off, unstated discounts); may be negative.
    pub fn discount_other(&self) -> i128 {
        self.list - self.discount_merchant - self.discount_platform - self.paid
    }

    /// 净销售额: paid − refunded − disputed.
    pub fn net_sales(&self) -> i128 {
        self.paid - self.refunded - self.disputed
    }

    /// 结算净额: net sales − fees. `None` when there are payments and nothing is known of their fees. Where
    /// `fees.unknown_count` is above 0 it is an upper bound, and the page says so.
    pub fn net_proceeds(&self) -> Option<i128> {
        match self.fees.total() {
            Some(fees) => Some(self.net_sales() - fees),
            None if self.fees.unknown_count > 0 => None,
            None => (!self.is_empty()).then(|| self.net_sales()),
        }
    }

    /// Paid per payment, half up.
    pub fn average(&self) -> Option<i128> {
        average(self.paid, self.payments)
    }

    /// Refunds posted, in millionths of paid (activity: not of these payments' own refunds).
    pub fn refund_rate_ppm(&self) -> Option<i128> {
        ratio_ppm(self.refunded, self.paid)
    }

    /// True when nothing was counted.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// One bucket of a chart's time axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// In the first store's time.
    pub starts_at: Instant,
    pub until: Instant,
    /// The first store's business day it lies in.
    pub day: BusinessDay,
    /// The first store's wall clock at its start (two buckets share an hour when clocks go back).
    pub local_hour: u32,
    pub state: BucketState,
}

/// How far a bucket has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BucketState {
    Whole,
    /// Still running: drawn hatched.
    Running,
    /// Not begun: no value, not 0.
    Ahead,
}

macro_rules! add_fields {
    ($($name:ident { $($field:ident),+ $(,)? })+) => {$(
        impl AddAssign for $name {
            fn add_assign(&mut self, other: Self) { $(self.$field += other.$field;)+ }
        }
    )+};
}

add_fields! {
    FeeSums {
        charged, returned, separate, estimated, charged_amount, charged_count, estimated_amount, estimated_count,
        unknown_amount, unknown_count,
    }
    Ladder {
        payments, list, discount_merchant, discount_platform, paid, refunds, refunded, disputes, disputed, fees, tax,
        top_ups, top_up_amount,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_not_zero() {
        let ladder = Ladder::default();
        assert_eq!(ladder.net_proceeds(), None);
        assert_eq!(ladder.average(), None);
        assert_eq!(ladder.refund_rate_ppm(), None);
        assert_eq!(ladder.fees.total(), None);
        assert_eq!(ladder.fees.rate_ppm(), None);
        assert_eq!(Compared::<Option<i128>>::default().change(), None);
    }

    #[test]
    fn unknown_fees_are_no_zero_fees() {
        let unknown = FeeSums { unknown_count: 1, unknown_amount: 1_000, ..FeeSums::default() };
        let mut ladder = Ladder { payments: 1, paid: 1_000, list: 1_000, fees: unknown, ..Ladder::default() };
        assert_eq!(ladder.net_proceeds(), None);
        ladder += Ladder {
            payments: 1,
            paid: 2_000,
            list: 2_100,
            fees: FeeSums { charged: 12, charged_amount: 2_000, charged_count: 1, ..FeeSums::default() },
            ..Ladder::default()
        };
        assert_eq!(ladder.net_proceeds(), Some(2_988));
        assert_eq!(ladder.fees.rate_ppm(), Some(6_000));
        assert_eq!(ladder.fees.known_ppm(), Some(666_667));
        assert_eq!(ladder.discount_other(), 100);
    }

    #[test]
    fn averages_and_rates_are_rounded_half_up() {
        assert_eq!(average(5, 2), Some(3));
        assert_eq!(average(-5, 2), Some(-2));
        assert_eq!(ratio_ppm(1, 3), Some(333_333));
        assert_eq!(ratio_ppm(2, 3), Some(666_667));
        let change =
            Compared { value: Some(0), pair: Some(Pair { now: Some(110), before: Some(100) }) }.change();
        assert!((change.unwrap() - 0.1).abs() < 1e-12);
    }
}
