use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A currency: ISO 4217, or one of the small table of tokens that merchants take.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Currency(Unit);

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Unit {
    Iso(iso_currency::Currency),
    Token { code: &'static str, exponent: u32 },
}

/// Tokens outside ISO 4217 with the decimal places of their chains' contracts.
const TOKENS: [(&str, u32); 2] = [("USDT", 6), ("USDC", 6)];

/// Why a text is no currency.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown currency code `{0}`")]
pub struct CurrencyError(pub String);

impl Currency {
    /// Mainland yuan, the currency of most stores here.
    pub const CNY: Self = Self(Unit::Iso(iso_currency::Currency::CNY));

    /// Reads a code such as `CNY` or `USDT`; upper case only, as ISO 4217 writes it.
    ///
    /// # Errors
    /// When the code is not in ISO 4217 nor in the table of tokens, or has no minor unit (`XAU`).
    pub fn parse(code: &str) -> Result<Self, CurrencyError> {
        // Nearly all there are here; the whole list is gone through one by one.
        let usual = match code {
            "CNY" => Some(iso_currency::Currency::CNY),
            "HKD" => Some(iso_currency::Currency::HKD),
            "USD" => Some(iso_currency::Currency::USD),
            "EUR" => Some(iso_currency::Currency::EUR),
            "GBP" => Some(iso_currency::Currency::GBP),
            _ => None,
        };
        if let Some(usual) = usual {
            return Ok(Self(Unit::Iso(usual)));
        }
        if let Some((code, exponent)) = TOKENS.into_iter().find(|(known, _)| *known == code) {
            return Ok(Self(Unit::Token { code, exponent }));
        }
        iso_currency::Currency::from_code(code)
            .filter(|currency| currency.exponent().is_some())
            .map(|currency| Self(Unit::Iso(currency)))
            .ok_or_else(|| CurrencyError(code.chars().take(16).collect()))
    }

    /// The code, e.g. `CNY`.
    pub fn code(self) -> &'static str {
        match self.0 {
            Unit::Iso(currency) => currency.code(),
            Unit::Token { code, .. } => code,
        }
    }

    /// Decimal places of the minor unit: CNY 2, JPY 0, KWD 3, USDT 6.
    pub fn exponent(self) -> u32 {
        match self.0 {
            Unit::Iso(currency) => u32::from(currency.exponent().unwrap_or(0)),
            Unit::Token { exponent, .. } => exponent,
        }
    }

    /// Minor units of one major unit: 100 for CNY.
    pub fn minor_per_major(self) -> i64 {
        10_i64.pow(self.exponent())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl PartialOrd for Currency {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Currency {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.code().cmp(other.code())
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let code = String::deserialize(deserializer)?;
        Self::parse(&code).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponents_are_those_of_the_standard() {
        for (code, exponent) in [("CNY", 2), ("JPY", 0), ("KWD", 3), ("USDT", 6), ("GBP", 2), ("CLF", 4)] {
            assert_eq!(Currency::parse(code).map(Currency::exponent), Ok(exponent), "{code}");
        }
    }

    #[test]
    fn what_is_no_currency_is_refused() {
        for code in ["", "cny", "RMB", "XAU", "DOGE", "CNYX"] {
            assert!(Currency::parse(code).is_err(), "{code}");
        }
    }
}
