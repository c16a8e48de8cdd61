use chrono::NaiveDate;

use super::{StoreId, Word};

/// Millionths: a rate of 100 %.
pub const RATE_PPM_MAX: u32 = 1_000_000;

/// How a provider rounds a fee to the minor unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Rounding {
    /// Towards +∞ from the half on: what bills in China show.
    #[default]
    HalfUp,
    HalfEven,
    Up,
    Down,
}

impl Rounding {
    /// Every way, in the order of a form.
    pub const ALL: [Self; 4] = [Self::HalfUp, Self::HalfEven, Self::Up, Self::Down];

    /// The name in the database and in forms.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HalfUp => "half_up",
            Self::HalfEven => "half_even",
            Self::Up => "up",
            Self::Down => "down",
        }
    }

    /// Reads [`Rounding::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|way| way.as_str() == text)
    }

    /// Millionths of a minor unit to minor units.
    const fn minor_of(self, micro: i128) -> i128 {
        let whole = micro.div_euclid(PPM);
        let twice_rest = micro.rem_euclid(PPM) * 2;
        let up = match self {
            Self::HalfUp => twice_rest >= PPM,
            Self::HalfEven => twice_rest > PPM || (twice_rest == PPM && whole % 2 != 0),
            Self::Up => twice_rest > 0,
            Self::Down => false,
        };
        if up { whole + 1 } else { whole }
    }
}

/// What a store agreed to pay a provider, from a day on.
///
/// Of several that fit a payment the one that names its method wins, then the youngest `valid_from`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContractRate {
    pub store: StoreId,
    pub provider: Word,
    /// Only this method; `None` for every method of the provider.
    pub method: Option<Word>,
    /// First day on which it holds (the provider's own day).
    pub valid_from: NaiveDate,
    /// Last day on which it holds; `None` while it lasts.
    pub valid_until: Option<NaiveDate>,
    /// Millionths of the amount: 0.60 % is 6,000.
    pub rate_ppm: u32,
    /// Minor units of the payment's currency added to every payment.
    pub fixed_minor: i64,
    pub rounding: Rounding,
}

/// Millionths.
const PPM: i128 = 1_000_000;

impl ContractRate {
    /// The fee of one payment in minor units, rounded once; half up, 0.6 % of ¥0.83 is 0, of ¥0.84 is ¥0.01.
    pub fn fee_of(&self, amount_minor: i64) -> i128 {
        self.rounding.minor_of(i128::from(amount_minor) * i128::from(self.rate_ppm))
            + i128::from(self.fixed_minor)
    }

    /// The fee of `count` payments of together `amount_minor`, rounded once: what the sum of single fees tends to.
    pub fn fee_of_many(&self, count: i64, amount_minor: i128) -> i128 {
        self.rounding.minor_of(amount_minor * i128::from(self.rate_ppm))
            + i128::from(self.fixed_minor) * i128::from(count)
    }

    /// True on the days on which it holds.
    pub fn covers(&self, day: NaiveDate) -> bool {
        self.valid_from <= day && self.valid_until.is_none_or(|last| day <= last)
    }

    /// The rate in force for a payment of this store, provider and method on this day.
    pub fn in_force(
        rates: &[Self],
        store: StoreId,
        provider: Word,
        method: Word,
        day: NaiveDate,
    ) -> Option<&Self> {
        rates
            .iter()
            .filter(|rate| {
                rate.store == store
                    && rate.provider == provider
                    && rate.covers(day)
                    && rate.method.is_none_or(|only| only == method)
            })
            .max_by_key(|rate| (rate.method.is_some(), rate.valid_from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(method: Option<&str>, from: &str, rate_ppm: u32) -> ContractRate {
        ContractRate {
            store: StoreId(1),
            provider: Word::of("wechat_pay"),
            method: method.map(Word::of),
            valid_from: from.parse().unwrap(),
            rate_ppm,
            valid_until: None,
            fixed_minor: 0,
            rounding: Rounding::HalfUp,
        }
    }

    #[test]
    fn a_fee_is_rounded_half_up_to_the_fen() {
        // METRICS 1.5: ¥0.83, ¥0.84, ¥2.49, ¥2.50 at 0.6 %.
        let wechat = rate(None, "2026-01-01", 6_000);
        for (amount, fee) in [(83, 0), (84, 1), (249, 1), (250, 2), (10_000, 60), (0, 0)] {
            assert_eq!(wechat.fee_of(amount), fee, "{amount}");
        }
        let card = ContractRate { rate_ppm: 29_000, fixed_minor: 30, ..wechat };
        assert_eq!(card.fee_of(10_000), 320);
        assert_eq!(card.fee_of_many(2, 20_000), 640);
    }

    #[test]
    fn the_named_method_wins_then_the_youngest() {
        let rates = [
            rate(None, "2026-01-01", 6_000),
            rate(None, "2026-06-01", 5_000),
            rate(Some("card"), "2026-02-01", 9_000),
        ];
        let on = |method: &str, day: &str| {
            ContractRate::in_force(
                &rates,
                StoreId(1),
                Word::of("wechat_pay"),
                Word::of(method),
                day.parse().unwrap(),
            )
            .map(|found| found.rate_ppm)
        };
        assert_eq!(on("wechat_pay", "2026-05-31"), Some(6_000));
        assert_eq!(on("wechat_pay", "2026-06-01"), Some(5_000));
        assert_eq!(on("card", "2026-06-01"), Some(9_000));
        assert_eq!(on("card", "2025-12-31"), None);
    }

    #[test]
    fn halves_go_where_the_contract_says() {
        for (way, half, one_and_a_half) in [
            (Rounding::HalfUp, 1, 2),
            (Rounding::HalfEven, 0, 2),
            (Rounding::Up, 1, 2),
            (Rounding::Down, 0, 1),
        ] {
            assert_eq!((way.minor_of(PPM / 2), way.minor_of(PPM * 3 / 2)), (half, one_and_a_half), "{way:?}");
            assert_eq!(way.minor_of(PPM), 1, "{way:?}");
            assert_eq!(Rounding::parse(way.as_str()), Some(way));
        }
    }

    #[test]
    fn an_ended_rate_is_in_force_on_its_last_day_and_not_after() {
        let ended = ContractRate { valid_until: "2026-03-31".parse().ok(), ..rate(None, "2026-01-01", 1) };
        assert!(ended.covers("2026-03-31".parse().unwrap()));
        assert!(!ended.covers("2026-04-01".parse().unwrap()));
    }
}
