//! Keys as people paste them: PEM with or without its frame, RSA only.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::CertificateDer;
use webpki::EndEntityCert;

/// Longest text of keys and certificates that is read.
pub const KEY_TEXT_BYTES_MAX: usize = 32 << 10;
/// Keys and certificates of a provider that are held at once: two while they change over, and some to spare.
const PLATFORM_KEYS_MAX: usize = 8;
/// Bytes of a fingerprint that are shown.
const FINGERPRINT_BYTES: usize = 8;

/// Why a pasted key is not taken. Never holds any part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("the key is longer than any key")]
    TooLong,
    #[error("this is no key")]
    Unreadable,
    #[error("the private key is protected by a password")]
    Encrypted,
    #[error("this is a public key or a certificate, not the private key")]
    PublicInstead,
    #[error("this is a private key, not the provider's public key")]
    PrivateInstead,
    #[error("the key is not an RSA key of 2048 bits or more")]
    Unusable,
    #[error("a public key needs its id beside it")]
    NoId,
    #[error("more keys than a provider has")]
    TooMany,
}

/// A piece between `-----BEGIN …-----` and `-----END …-----`; a text without a frame has an empty label.
struct Piece {
    label: String,
    der: Vec<u8>,
}

fn pieces(text: &str) -> Result<Vec<Piece>, KeyError> {
    if text.len() > KEY_TEXT_BYTES_MAX {
        return Err(KeyError::TooLong);
    }
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("-----BEGIN ") {
        let (label, after) = after.split_once("-----").ok_or(KeyError::Unreadable)?;
        let (body, after) =
            after.split_once(&format!("-----END {label}-----")).ok_or(KeyError::Unreadable)?;
        if label == "ENCRYPTED PRIVATE KEY" || body.contains("Proc-Type") {
            return Err(KeyError::Encrypted);
        }
        found.push(Piece { label: label.to_owned(), der: decoded(body)? });
        rest = after;
    }
    if found.is_empty() {
        found.push(Piece { label: String::new(), der: decoded(text)? });
    }
    Ok(found)
}

fn decoded(text: &str) -> Result<Vec<u8>, KeyError> {
    let packed: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    STANDARD.decode(packed).ok().filter(|der| !der.is_empty()).ok_or(KeyError::Unreadable)
}

/// A merchant's private key. Signs; never shows itself.
pub struct SigningKey(RsaKeyPair);

impl SigningKey {
    /// Reads PKCS#8 or PKCS#1, as PEM or as the bare base64 that Alipay's key tool writes.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn read(text: &str) -> Result<Self, KeyError> {
        let pieces = pieces(text)?;
        let is_private = |piece: &&Piece| piece.label.ends_with("PRIVATE KEY");
        let piece = pieces.iter().find(is_private).or(pieces.first()).ok_or(KeyError::Unreadable)?;
        let pair = match piece.label.as_str() {
            "PRIVATE KEY" => RsaKeyPair::from_pkcs8(&piece.der),
            "RSA PRIVATE KEY" => RsaKeyPair::from_der(&piece.der),
            "" if VerifyingKey::of_der(&piece.der).is_ok() => return Err(KeyError::PublicInstead),
            "" => RsaKeyPair::from_pkcs8(&piece.der).or_else(|_| RsaKeyPair::from_der(&piece.der)),
            "PUBLIC KEY" | "RSA PUBLIC KEY" | "CERTIFICATE" => return Err(KeyError::PublicInstead),
            label if label.ends_with("PRIVATE KEY") => return Err(KeyError::Unusable),
            _ => return Err(KeyError::Unreadable),
        };
        pair.map(Self).map_err(|_| KeyError::Unusable)
    }

    /// RSA-PKCS1v1.5-SHA256 over a text, in base64.
    ///
    /// # Errors
    /// When the machine has no random numbers.
    pub fn sign(&self, text: &[u8]) -> Result<String, KeyError> {
        let mut signature = vec![0; self.0.public_modulus_len()];
        let signed = self.0.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text, &mut signature);
        signed.map_err(|_| KeyError::Unusable)?;
        Ok(STANDARD.encode(signature))
    }

    /// The key that verifies what this one signs.
    pub fn verifying(&self) -> VerifyingKey {
        VerifyingKey { der: self.0.public_key().as_ref().to_vec() }
    }

    /// Tells keys apart without showing them: the beginning of the public half's SHA-256.
    pub fn fingerprint(&self) -> String {
        self.verifying().fingerprint()
    }
}

/// A public key that signatures are checked with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyingKey {
    der: Vec<u8>,
}

impl VerifyingKey {
    /// Reads one public key or certificate.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn read(text: &str) -> Result<Self, KeyError> {
        let pieces = pieces(text)?;
        let piece = pieces.first().ok_or(KeyError::Unreadable)?;
        Self::of_piece(piece).map(|(_, key)| key)
    }

    /// The key, and the serial number where it came in a certificate.
    fn of_piece(piece: &Piece) -> Result<(Option<String>, Self), KeyError> {
        match piece.label.as_str() {
            label if label.ends_with("PRIVATE KEY") => Err(KeyError::PrivateInstead),
            "CERTIFICATE" => {
                let der = CertificateDer::from(piece.der.as_slice());
                let certificate = EndEntityCert::try_from(&der).map_err(|_| KeyError::Unreadable)?;
                let key = Self::of_der(certificate.subject_public_key_info().as_ref())?;
                Ok((Some(hex(certificate.serial())), key))
            }
            "PUBLIC KEY" | "RSA PUBLIC KEY" => Ok((None, Self::of_der(&piece.der)?)),
            "" => match Self::of_der(&piece.der) {
                Ok(key) => Ok((None, key)),
                Err(_) if RsaKeyPair::from_pkcs8(&piece.der).is_ok() => Err(KeyError::PrivateInstead),
                Err(_) if RsaKeyPair::from_der(&piece.der).is_ok() => Err(KeyError::PrivateInstead),
                Err(error) => Err(error),
            },
            _ => Err(KeyError::Unreadable),
        }
    }

    fn of_der(der: &[u8]) -> Result<Self, KeyError> {
        let key = aws_lc_rs::rsa::PublicKey::from_der(der).map_err(|_| KeyError::Unusable)?;
        Ok(Self { der: key.as_ref().to_vec() })
    }

    /// True when `signature` (base64) is this key's over `text`.
    pub fn verifies(&self, text: &[u8], signature: &str) -> bool {
        let Ok(signature) = STANDARD.decode(signature) else { return false };
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &self.der).verify(text, &signature).is_ok()
    }

    /// The beginning of its SHA-256.
    pub fn fingerprint(&self) -> String {
        hex(&digest(&SHA256, &self.der).as_ref()[..FINGERPRINT_BYTES])
    }
}

/// The keys of a provider by their ids: while one follows another, both sign.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlatformKeys(Vec<(String, VerifyingKey)>);

impl PlatformKeys {
    /// Reads public keys and certificates pasted one after another. A certificate brings its serial number; a public key
    /// is known by `id`.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn read(text: &str, id: &str) -> Result<Self, KeyError> {
        let pieces = pieces(text)?;
        if pieces.len() > PLATFORM_KEYS_MAX {
            return Err(KeyError::TooMany);
        }
        let mut keys = Vec::new();
        for piece in &pieces {
            let (serial, key) = VerifyingKey::of_piece(piece)?;
            let known_by = serial.unwrap_or_else(|| id.trim().to_owned());
            if known_by.is_empty() {
                return Err(KeyError::NoId);
            }
            keys.push((known_by, key));
        }
        Ok(Self(keys))
    }

    /// The key of an id. Serial numbers are hexadecimal, in either case, with or without zeros in front.
    pub fn get(&self, id: &str) -> Option<&VerifyingKey> {
        let plain = |id: &str| id.trim().trim_start_matches('0').to_ascii_uppercase();
        self.0.iter().find(|(known, _)| plain(known) == plain(id)).map(|(_, key)| key)
    }

    /// Ids and fingerprints, for people.
    pub fn shown(&self) -> impl Iterator<Item = (&str, String)> {
        self.0.iter().map(|(id, key)| (id.as_str(), key.fingerprint()))
    }

    /// The id that is asked for by name: that of a public key, which WeChat Pay then signs with.
    pub fn public_key_id(&self) -> Option<&str> {
        self.0.iter().map(|(id, _)| id.as_str()).find(|id| id.starts_with("PUB_KEY_ID_"))
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02X}");
        text
    })
}

#[cfg(test)]
#[path = "keys_tests.rs"]
mod tests;
