use std::fmt;
use std::net::IpAddr;

use crate::store::Seal;

/// Bytes of a pseudonym: 128 bits, 32 hex digits.
const PSEUDONYM_BYTES: usize = 16;
/// Room for what is hashed, so that most need no second allocation.
const INPUT_BYTES_GUESS: usize = 96;
const HEX_DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Turns references to people (customer ids, mail addresses, telephone numbers, card fingerprints, addresses on the
/// network) into keyed hashes, from the first moment on.
///
/// Keyed, because telephone numbers and the like are few enough to try them all against a plain hash. The key
/// lives outside the database. A value that already looks like one of our hashes is hashed like any other: a sender
/// cannot name a pseudonym.
#[derive(Clone)]
pub struct Pseudonyms {
    key: [u8; 32],
}

impl Pseudonyms {
    /// Pseudonyms under this secret key.
    pub const fn new(key: [u8; 32]) -> Self {
        Self { key }
    }

    /// The seal of lines that are kept for a while although they came from people's payments.
    pub fn seal(&self) -> Seal {
        Seal::new(blake3::derive_key("tillwatch 2026-11 lines that were rejected", &self.key))
    }

    /// The pseudonym of `raw` as a `kind` (`customer`, `payment_fingerprint`, `ip` …) in the number space of
    /// `provider`; an empty `provider` is the shop's own. 32 hex digits.
    pub fn of(&self, kind: &str, provider: &str, raw: &str) -> String {
        let normalised = normalise(kind, raw);
        let mut input = Vec::with_capacity(INPUT_BYTES_GUESS);
        for part in [kind, provider, &normalised] {
            // The length in front keeps ("ab", "c") and ("a", "bc") apart.
            input.extend(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
            input.extend(part.as_bytes());
        }
        let hash = blake3::keyed_hash(&self.key, &input);
        let mut text = String::with_capacity(2 * PSEUDONYM_BYTES);
        for byte in hash.as_bytes().iter().take(PSEUDONYM_BYTES) {
            // Four times as fast as formatting, and there is one for nearly every row.
            text.extend(
                [byte >> 4, byte & 15]
                    .map(|digit| HEX_DIGITS.get(usize::from(digit)).map_or('0', |c| char::from(*c))),
            );
        }
        text
    }
}

impl fmt::Debug for Pseudonyms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pseudonyms(…)")
    }
}

/// One spelling for one person: mail addresses in lower case, telephone numbers without their spaces and dashes,
/// network addresses in their short form, everything else without the spaces around it.
fn normalise(kind: &str, raw: &str) -> String {
    let trimmed = raw.trim();
    if kind == "ip" {
        return trimmed
            .parse()
            .map_or_else(|_| trimmed.to_owned(), |ip: IpAddr| ip.to_canonical().to_string());
    }
    if trimmed.contains('@') {
        return trimmed.to_lowercase();
    }
    let is_telephone = trimmed.starts_with(['+', '(']) || trimmed.starts_with(|c: char| c.is_ascii_digit());
    if is_telephone && trimmed.chars().all(|c| c.is_ascii_digit() || matches!(c, '+' | ' ' | '-' | '(' | ')'))
    {
        return trimmed.chars().filter(|c| c.is_ascii_digit() || *c == '+').collect();
    }
    trimmed.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: Pseudonyms = Pseudonyms::new([7; 32]);

    #[test]
    fn one_person_has_one_pseudonym_however_written() {
        assert_eq!(NAMES.of("customer", "", "A@Example.com "), NAMES.of("customer", "", "a@example.com"));
        assert_eq!(NAMES.of("customer", "", "+86 138-0013-8000"), NAMES.of("customer", "", "+8613800138000"));
        assert_eq!(NAMES.of("ip", "", "::ffff:10.0.0.1"), NAMES.of("ip", "", "10.0.0.1"));
        assert_ne!(NAMES.of("customer", "", "oUpF8u"), NAMES.of("customer", "", "oupf8u"));
    }

    #[test]
    fn key_kind_and_provider_keep_pseudonyms_apart() {
        let name = NAMES.of("customer", "alipay", "1");
        assert_ne!(name, Pseudonyms::new([8; 32]).of("customer", "alipay", "1"));
        assert_ne!(name, NAMES.of("payment_fingerprint", "alipay", "1"));
        assert_ne!(name, NAMES.of("customer", "wechat_pay", "1"));
        assert_ne!(NAMES.of("customer", "ab", "c"), NAMES.of("customer", "a", "bc"));
        assert_eq!(name.len(), 32);
        assert!(name.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }

    #[test]
    fn what_looks_like_a_pseudonym_is_hashed_again() {
        let name = NAMES.of("customer", "", "1");
        assert_ne!(NAMES.of("customer", "", &name), name);
    }

    #[test]
    fn the_key_is_never_printed() {
        assert_eq!(format!("{NAMES:?}"), "Pseudonyms(…)");
    }
}
