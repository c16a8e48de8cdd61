use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::Currency;

/// Largest amount of one record. Sums are `i128`: 10¹⁵ × 10⁸ rows does not fit `i64`.
pub const AMOUNT_MINOR_MAX: i64 = 1_000_000_000_000_000;

/// An amount in minor units of one currency, within ±[`AMOUNT_MINOR_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Money {
    minor: i64,
    currency: Currency,
}

/// Why a value is no amount.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Beyond ±10¹⁵ minor units.
    #[error("amount of {0} minor units is out of range (at most 10^15)")]
    OutOfRange(String),
    /// Not a decimal number, e.g. `12,50` or empty.
    #[error("`{0}` is not a decimal amount")]
    NotDecimal(String),
}

impl Money {
    /// An amount of `minor` minor units.
    ///
    /// # Errors
    /// [`MoneyError::OutOfRange`] beyond ±[`AMOUNT_MINOR_MAX`].
    pub fn from_minor(minor: i64, currency: Currency) -> Result<Self, MoneyError> {
        if minor.unsigned_abs() > AMOUNT_MINOR_MAX.unsigned_abs() {
            return Err(MoneyError::OutOfRange(minor.to_string()));
        }
        Ok(Self { minor, currency })
    }

    /// Minor units.
    pub const fn minor(self) -> i64 {
        self.minor
    }

    /// The currency.
    pub const fn currency(self) -> Currency {
        self.currency
    }
}

/// Rounds a decimal amount of major units to minor units, half away from zero.
///
/// # Errors
/// [`MoneyError::OutOfRange`] beyond ±[`AMOUNT_MINOR_MAX`].
pub fn decimal_to_minor(major: Decimal, currency: Currency) -> Result<i64, MoneyError> {
    let out_of_range = || MoneyError::OutOfRange(major.to_string());
    // A decimal is 96 bits over a power of ten of at most 28: neither product nor remainder can leave 128 bits.
    let (digits, decimals, exponent) = (major.mantissa(), major.scale(), currency.exponent());
    let minor = if decimals <= exponent {
        digits * 10_i128.pow(exponent - decimals)
    } else {
        let unit = 10_i128.pow(decimals - exponent);
        let twice_the_rest = digits % unit * 2;
        digits / unit + if twice_the_rest.abs() >= unit { twice_the_rest.signum() } else { 0 }
    };
    let minor = i64::try_from(minor).map_err(|_| out_of_range())?;
    Money::from_minor(minor, currency).map(Money::minor).map_err(|_| out_of_range())
}

/// A total of many amounts in one currency. Two currencies are never added: the type has no operation for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Sum {
    /// Minor units.
    pub minor: i128,
    /// The currency.
    pub currency: Currency,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_bounded() {
        assert!(Money::from_minor(AMOUNT_MINOR_MAX, Currency::CNY).is_ok());
        assert!(Money::from_minor(AMOUNT_MINOR_MAX + 1, Currency::CNY).is_err());
        assert!(Money::from_minor(i64::MIN, Currency::CNY).is_err());
    }

    #[test]
    fn halves_are_rounded_away_from_zero() {
        for (text, minor) in [("0.005", 1), ("-0.005", -1), ("0.0049", 0), ("2.675", 268), ("12", 1200)] {
            let major: Decimal = text.parse().expect("a decimal");
            assert_eq!(decimal_to_minor(major, Currency::CNY), Ok(minor), "{text}");
        }
        for (text, minor) in
            [("-2.675", -268), ("1.00499999999999999999999999", 100), ("0.0000000000000000000000000005", 0)]
        {
            let major: Decimal = text.parse().expect("a decimal");
            assert_eq!(decimal_to_minor(major, Currency::CNY), Ok(minor), "{text}");
        }
        assert!(decimal_to_minor(Decimal::MAX, Currency::CNY).is_err());
        assert!(decimal_to_minor(Decimal::MIN, Currency::CNY).is_err());
    }
}
