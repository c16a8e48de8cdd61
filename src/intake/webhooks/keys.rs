//! What notices are proved and opened with, and what people paste for it.

use std::fmt::Write;

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, SubjectPublicKeyInfoDer};
use sha2::{Sha256, Sha512};
use webpki::EndEntityCert;

use super::Provider;
use crate::store::Opened;

/// Longest text that is pasted: a chain of certificates.
pub const SECRET_BYTES_MAX: usize = 32 << 10;
/// Longest name of a key.
pub const KEY_NAME_CHARS_MAX: usize = 128;
/// Bytes of WeChat Pay's APIv3 key.
const API_V3_KEY_BYTES: usize = 32;
/// Fewest characters of a shared secret that is worth the name.
const SHARED_CHARS_MIN: usize = 16;
/// Fewest bytes of Adyen's key.
const HMAC_BYTES_MIN: usize = 16;

/// What a secret does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SecretKind {
    /// RSA, of WeChat Pay or Alipay: proves.
    PublicKey,
    /// WeChat Pay's: opens what is sealed in the body.
    ApiV3Key,
    /// Shared with Stripe or Hyperswitch: proves.
    SigningSecret,
    /// Adyen's, entered as hex: proves.
    HmacKey,
}

impl SecretKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::PublicKey, Self::ApiV3Key, Self::SigningSecret, Self::HmacKey];

    /// The word in the database, in forms and in texts.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PublicKey => "public_key",
            Self::ApiV3Key => "api_v3_key",
            Self::SigningSecret => "signing_secret",
            Self::HmacKey => "hmac_key",
        }
    }

    /// The kind of a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// A secret in force.
#[derive(Clone, Debug)]
pub struct Key {
    /// Its row, so that its use can be noted.
    pub id: String,
    pub kind: SecretKind,
    /// Serial of the certificate or id of the public key; empty where there is none.
    pub name: String,
    pub secret: Opened,
}

/// The secrets of an endpoint that are in force.
#[derive(Clone, Debug, Default)]
pub struct Keys(pub Vec<Key>);

impl Keys {
    /// Those of one kind.
    pub fn of(&self, kind: SecretKind) -> impl Iterator<Item = &Key> {
        self.0.iter().filter(move |key| key.kind == kind)
    }
}

/// A secret that somebody entered, in the form in which it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entered {
    pub name: String,
    pub secret: Opened,
}

/// Why what was entered is no such secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryFault {
    #[error("nothing was entered")]
    Empty,
    #[error("that is too long to be a key")]
    TooLong,
    #[error(
        "that is a private key, which must never leave your system; the provider's public key is asked for"
    )]
    PrivateKey,
    #[error("that is no RSA public key or certificate")]
    NoPublicKey,
    #[error("a public key is told from others by its id, which begins with PUB_KEY_ID_; it is missing")]
    NameMissing,
    #[error("the APIv3 key has exactly 32 characters")]
    NotApiV3Key,
    #[error("a signing secret of Stripe begins with whsec_")]
    NotStripe,
    #[error("the secret is too short")]
    TooShort,
    #[error("the HMAC key is made of hex digits only")]
    NotHex,
    #[error("this provider uses no secret of this kind")]
    WrongKind,
}

impl EntryFault {
    /// The word of its text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::TooLong => "too-long",
            Self::PrivateKey => "private-key",
            Self::NoPublicKey => "no-public-key",
            Self::NameMissing => "name-missing",
            Self::NotApiV3Key => "not-api-v3-key",
            Self::NotStripe => "not-stripe",
            Self::TooShort => "too-short",
            Self::NotHex => "not-hex",
            Self::WrongKind => "wrong-kind",
        }
    }
}

/// Reads what somebody pasted.
///
/// # Errors
/// [`EntryFault`]: what it is instead.
pub fn read_secret(
    provider: Provider,
    kind: SecretKind,
    name: &str,
    text: &str,
) -> Result<Entered, EntryFault> {
    let (name, text) = (name.trim(), text.trim());
    if text.is_empty() {
        return Err(EntryFault::Empty);
    }
    if text.len() > SECRET_BYTES_MAX || name.chars().count() > KEY_NAME_CHARS_MAX {
        return Err(EntryFault::TooLong);
    }
    if !provider.secret_kinds().contains(&kind) {
        return Err(EntryFault::WrongKind);
    }
    match kind {
        SecretKind::PublicKey => public_key(provider, name, text),
        SecretKind::ApiV3Key if text.len() != API_V3_KEY_BYTES => Err(EntryFault::NotApiV3Key),
        SecretKind::SigningSecret if provider == Provider::Stripe && !text.starts_with("whsec_") => {
            Err(EntryFault::NotStripe)
        }
        SecretKind::SigningSecret if text.len() < SHARED_CHARS_MIN => Err(EntryFault::TooShort),
        SecretKind::ApiV3Key | SecretKind::SigningSecret => Ok(entered("", text.as_bytes().to_vec())),
        SecretKind::HmacKey => {
            let key = from_hex(text).ok_or(EntryFault::NotHex)?;
            if key.len() < HMAC_BYTES_MIN { Err(EntryFault::TooShort) } else { Ok(entered("", key)) }
        }
    }
}

fn entered(name: &str, secret: Vec<u8>) -> Entered {
    Entered { name: name.to_owned(), secret: Opened::new(secret) }
}

/// A certificate, a public key as PEM, or (as Alipay hands it out) its bare base64.
fn public_key(provider: Provider, name: &str, text: &str) -> Result<Entered, EntryFault> {
    if text.contains("PRIVATE KEY") {
        return Err(EntryFault::PrivateKey);
    }
    if text.contains("BEGIN CERTIFICATE") {
        let der = CertificateDer::from_pem_slice(text.as_bytes()).map_err(|_| EntryFault::NoPublicKey)?;
        let certificate = EndEntityCert::try_from(&der).map_err(|_| EntryFault::NoPublicKey)?;
        let key = certificate.subject_public_key_info();
        let serial = to_hex(certificate.serial()).trim_start_matches("00").to_ascii_uppercase();
        return checked(&serial, key.as_ref());
    }
    let key = if text.contains("BEGIN") {
        SubjectPublicKeyInfoDer::from_pem_slice(text.as_bytes())
            .map(|key| key.as_ref().to_vec())
            .map_err(|_| EntryFault::NoPublicKey)?
    } else {
        let bare: String = text.split_whitespace().collect();
        STANDARD.decode(bare).map_err(|_| EntryFault::NoPublicKey)?
    };
    if provider == Provider::WechatPay && name.is_empty() {
        return Err(EntryFault::NameMissing);
    }
    checked(name, &key)
}

fn checked(name: &str, key: &[u8]) -> Result<Entered, EntryFault> {
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key).parse().map_err(|_| EntryFault::NoPublicKey)?;
    Ok(entered(name, key.to_vec()))
}

/// True when the owner of this public key signed `message` (RSA PKCS#1 v1.5 with SHA-256).
pub(super) fn is_signed_by(key: &Key, message: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.secret.reveal())
        .verify(message, signature)
        .is_ok()
}

/// True when `tag` is the HMAC-SHA-256 of the parts one behind the other. In constant time.
pub(super) fn is_hmac_sha256(key: &Key, parts: &[&[u8]], tag: &[u8]) -> bool {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.secret.reveal()) else { return false };
    for part in parts {
        mac.update(part);
    }
    mac.verify_slice(tag).is_ok()
}

/// True when `tag` is the HMAC-SHA-512 of the message. In constant time.
pub(super) fn is_hmac_sha512(key: &Key, message: &[u8], tag: &[u8]) -> bool {
    let Ok(mut mac) = Hmac::<Sha512>::new_from_slice(key.secret.reveal()) else { return false };
    mac.update(message);
    mac.verify_slice(tag).is_ok()
}

/// Bytes of standard base64, or none.
pub(super) fn from_base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// Bytes of hex digits, or none.
pub(super) fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| match pair {
            [high, low] => Some((digit(*high)? << 4) | digit(*low)?),
            _ => None,
        })
        .collect()
}

/// Lower-case hex digits.
pub(super) fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_is_read_strictly() {
        assert_eq!(from_hex("00fF"), Some(vec![0, 255]));
        for wrong in ["0", "0g", "+1", "é", "0x00 "] {
            assert_eq!(from_hex(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_is_pasted_is_told_apart() {
        let read =
            |provider, kind, name, text| read_secret(provider, kind, name, text).map(|entered| entered.name);
        let pem = include_str!("../../../tests/fixtures/webhooks/wechat/synthetic_platform_pub.pem");
        let bare: String = pem.lines().filter(|line| !line.starts_with("---")).collect();
        let public = SecretKind::PublicKey;
        assert_eq!(read(Provider::WechatPay, public, " PUB_KEY_ID_1 ", pem), Ok("PUB_KEY_ID_1".into()));
        assert_eq!(read(Provider::WechatPay, public, "", pem), Err(EntryFault::NameMissing));
        assert_eq!(read(Provider::Alipay, public, "", &bare), Ok(String::new()));
        assert_eq!(read(Provider::Alipay, public, "", "MIIB"), Err(EntryFault::NoPublicKey));
        assert_eq!(
            read(Provider::Alipay, public, "", "-----BEGIN RSA PRIVATE KEY-----"),
            Err(EntryFault::PrivateKey)
        );
        assert_eq!(read(Provider::Stripe, public, "", pem), Err(EntryFault::WrongKind));
        let signing = SecretKind::SigningSecret;
        assert_eq!(
            read(Provider::Stripe, signing, "", "sk_live_0123456789abcdef"),
            Err(EntryFault::NotStripe)
        );
        assert_eq!(read(Provider::Stripe, signing, "", " "), Err(EntryFault::Empty));
        assert_eq!(read(Provider::Hyperswitch, signing, "", "short"), Err(EntryFault::TooShort));
        assert_eq!(read(Provider::WechatPay, SecretKind::ApiV3Key, "", "31"), Err(EntryFault::NotApiV3Key));
        assert_eq!(read(Provider::Adyen, SecretKind::HmacKey, "", "xyz"), Err(EntryFault::NotHex));
    }
}
