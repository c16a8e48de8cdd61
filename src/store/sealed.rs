//! Secrets of others that we must be able to use again: sealed with a key that stands outside the database, and bound
//! to the place where they lie, so that a sealed value moved into another row or column does not open.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};

/// The first byte of every sealed value: how it was sealed.
const FORM: u8 = 1;
/// Hex digits of a fingerprint.
const FINGERPRINT_CHARS: usize = 12;

/// Seals and opens, with one key of the installation.
#[derive(Clone)]
pub struct Seal {
    key: [u8; 32],
}

/// Where a sealed value lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealedPlace<'a> {
    pub table: &'static str,
    pub row: &'a str,
    pub column: &'static str,
}

/// A secret in the open. It is never printed, and there is no page that shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Opened(Vec<u8>);

/// Why something could not be sealed or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The machine gives no random bytes.
    #[error("the machine could not seal a secret")]
    NotSealed,
    /// Another key, another place, or bytes that were changed.
    #[error(
        "a sealed secret does not open: it was changed, or sealed under another secret.key; enter it again, or put the \
         right secret.key back"
    )]
    NotOpened,
}

impl Seal {
    /// A seal with this key.
    pub const fn new(key: [u8; 32]) -> Self {
        Self { key }
    }

    /// Seals a secret for the place where it will lie.
    ///
    /// # Errors
    /// [`SealError::NotSealed`].
    pub fn seal(&self, place: SealedPlace<'_>, secret: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut bytes = secret.to_vec();
        let nonce = self
            .cipher()
            .and_then(|cipher| cipher.seal_in_place_append_tag(Aad::from(place.bytes()), &mut bytes).ok())
            .ok_or(SealError::NotSealed)?;
        let mut sealed = Vec::with_capacity(1 + NONCE_LEN + bytes.len());
        sealed.push(FORM);
        sealed.extend_from_slice(nonce.as_ref());
        sealed.append(&mut bytes);
        Ok(sealed)
    }

    /// Opens what lies in this place.
    ///
    /// # Errors
    /// [`SealError::NotOpened`].
    pub fn open(&self, place: SealedPlace<'_>, sealed: &[u8]) -> Result<Opened, SealError> {
        self.opened(place, sealed).map(Opened).ok_or(SealError::NotOpened)
    }

    /// Tells one secret from another on a page: part of a keyed hash, from which nobody finds the secret.
    pub fn fingerprint(&self, secret: &[u8]) -> String {
        let key = blake3::derive_key("tillwatch 2026-11 fingerprints of sealed secrets", &self.key);
        let mut text = blake3::keyed_hash(&key, secret).to_hex().to_string();
        text.truncate(FINGERPRINT_CHARS);
        text
    }

    fn opened(&self, place: SealedPlace<'_>, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, bytes) = sealed.strip_prefix(&[FORM])?.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut bytes = bytes.to_vec();
        let opened = self.cipher()?.open_in_place(nonce, Aad::from(place.bytes()), &mut bytes).ok()?.len();
        bytes.truncate(opened);
        Some(bytes)
    }

    fn cipher(&self) -> Option<RandomizedNonceKey> {
        RandomizedNonceKey::new(&AES_256_GCM, &self.key).ok()
    }
}

impl SealedPlace<'_> {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for part in [self.table, self.row, self.column] {
            // The length in front keeps ("ab", "c") and ("a", "bc") apart.
            bytes.extend_from_slice(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
            bytes.extend_from_slice(part.as_bytes());
        }
        bytes
    }
}

impl Opened {
    /// A secret that somebody has just entered.
    pub const fn new(secret: Vec<u8>) -> Self {
        Self(secret)
    }

    /// The secret itself: for computing with, never for showing.
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }

    /// The same as text, where it is text.
    pub fn reveal_text(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEAL: Seal = Seal::new([9; 32]);
    const PLACE: SealedPlace<'_> = SealedPlace { table: "webhook_secret", row: "a1", column: "sealed" };

    #[test]
    fn what_was_sealed_opens_in_its_place_only() {
        for secret in [&b"whsec_abc"[..], b"", &[0; 5000]] {
            let sealed = SEAL.seal(PLACE, secret).unwrap();
            assert_eq!(SEAL.open(PLACE, &sealed).unwrap().reveal(), secret);
            for other in [
                SealedPlace { row: "a2", ..PLACE },
                SealedPlace { table: "bill_fetch", ..PLACE },
                SealedPlace { column: "fingerprint", ..PLACE },
                SealedPlace { table: "webhook_secreta", row: "1", ..PLACE },
            ] {
                assert_eq!(SEAL.open(other, &sealed), Err(SealError::NotOpened), "{other:?}");
            }
            assert_eq!(Seal::new([8; 32]).open(PLACE, &sealed), Err(SealError::NotOpened));
        }
    }

    #[test]
    fn a_flipped_bit_and_a_lost_byte_are_seen() {
        let sealed = SEAL.seal(PLACE, b"whsec_abc").unwrap();
        for bit in 0..sealed.len() * 8 {
            let mut changed = sealed.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(SEAL.open(PLACE, &changed), Err(SealError::NotOpened), "bit {bit}");
        }
        for length in 0..sealed.len() {
            assert_eq!(SEAL.open(PLACE, &sealed[..length]), Err(SealError::NotOpened), "{length} bytes");
        }
    }

    #[test]
    fn the_same_secret_is_never_sealed_alike() {
        let twice = [SEAL.seal(PLACE, b"a").unwrap(), SEAL.seal(PLACE, b"a").unwrap()];
        assert_ne!(twice[0], twice[1]);
        assert_eq!(SEAL.fingerprint(b"a"), SEAL.fingerprint(b"a"));
        assert_ne!(SEAL.fingerprint(b"a"), SEAL.fingerprint(b"b"));
        assert_ne!(SEAL.fingerprint(b"a"), Seal::new([8; 32]).fingerprint(b"a"));
        assert_eq!(SEAL.fingerprint(b"a").len(), FINGERPRINT_CHARS);
    }

    #[test]
    fn nothing_of_it_is_printed() {
        let opened = SEAL.open(PLACE, &SEAL.seal(PLACE, b"whsec_abc").unwrap()).unwrap();
        assert_eq!(opened.reveal_text(), Some("whsec_abc"));
        assert_eq!(format!("{opened:?} {SEAL:?}"), "… Seal(…)");
    }
}
