//! Amounts of providers that count other minor units than ISO 4217 has.

use super::Provider;
use super::reading::{Fault, FaultCode, money};
use crate::domain::{Currency, Money};

/// Decimal places of a provider's integers where they are not those of ISO 4217.
const OTHER_EXPONENTS: [(Provider, &str, u32); 7] = [
    (Provider::Adyen, "CLP", 2),
    (Provider::Adyen, "ISK", 2),
    (Provider::Adyen, "CVE", 0),
    (Provider::Adyen, "IDR", 0),
    (Provider::Stripe, "ISK", 2),
    (Provider::Stripe, "UGX", 2),
    (Provider::Stripe, "MGA", 0),
];

/// An amount that a provider gives as an integer.
///
/// # Errors
/// When it is negative, out of range, or has places that the currency does not have.
pub(super) fn provider_money(
    provider: Provider,
    field: &'static str,
    value: i64,
    currency: Currency,
) -> Result<Money, Fault> {
    let known = OTHER_EXPONENTS.into_iter().find(|(of, code, _)| *of == provider && *code == currency.code());
    let given = known.map_or(currency.exponent(), |(_, _, exponent)| exponent);
    let out_of_range = || Fault::new(field, FaultCode::OutOfRange);
    let step = 10_i64.pow(given.abs_diff(currency.exponent()));
    if given <= currency.exponent() {
        return money(field, value.checked_mul(step).ok_or_else(out_of_range)?, currency);
    }
    if value % step != 0 {
        return Err(Fault::new(field, FaultCode::NotAnAmount));
    }
    money(field, value / step, currency)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minor(provider: Provider, value: i64, code: &str) -> Option<i64> {
        let currency = Currency::parse(code).unwrap();
        provider_money(provider, "amount", value, currency).ok().map(Money::minor)
    }

    #[test]
    fn trap_adyen_counts_four_currencies_otherwise() {
        assert_eq!(minor(Provider::Adyen, 105_000, "CLP"), Some(1_050));
        assert_eq!(minor(Provider::Adyen, 500, "ISK"), Some(5));
        assert_eq!(minor(Provider::Adyen, 5, "CVE"), Some(500));
        assert_eq!(minor(Provider::Adyen, 15_000, "IDR"), Some(1_500_000));
        assert_eq!(minor(Provider::Adyen, 1_050, "EUR"), Some(1_050));
        assert_eq!(minor(Provider::Adyen, 105_050, "CLP"), None, "a peso has no hundredths");
    }

    #[test]
    fn zero_and_three_decimal_currencies_are_whole_minor_units() {
        assert_eq!(minor(Provider::Stripe, 500, "JPY"), Some(500));
        assert_eq!(minor(Provider::Stripe, 5_120, "KWD"), Some(5_120));
        assert_eq!(minor(Provider::Stripe, 500, "UGX"), Some(5));
        assert_eq!(minor(Provider::Stripe, i64::MAX, "MGA"), None);
        assert_eq!(minor(Provider::Stripe, -1, "USD"), None);
    }
}
