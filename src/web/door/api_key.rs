use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use actix_web::dev::Payload;
use actix_web::http::header::AUTHORIZATION;
use actix_web::{FromRequest, HttpRequest};
use chrono::{DurationRound, TimeDelta};
use subtle::ConstantTimeEq;

use super::SecretKey;
use super::forgery::{client_ip, keyed_hash};
use super::random::{NoRandom, random_bytes};
use super::viewer::{Extracted, state_of};
use crate::domain::{Instant, KeyMode, KeyScope, Store};
use crate::store::{ApiKeyRecord, Database, StoreError};
use crate::web::error::WebError;

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const ID_CHARS: usize = 8;
/// 190 bits.
const SECRET_CHARS: usize = 32;
const CHECKSUM_CHARS: usize = 6;
/// How long a key is remembered without asking the database. Revoking in this process is heard at once; revoking by
/// the command line, after this long, or twice as long while the database is slow to answer.
const REMEMBERED: TimeDelta = TimeDelta::seconds(2);

/// The text of an API key: `tw_live_<id>_<secret><checksum>`, in base 62.
///
/// The checksum (CRC-32 of everything before it) tells a mistyped key from a wrong one without asking the database,
/// and lets scanners of public code know a real one.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyText {
    text: String,
    id: String,
    mode: KeyMode,
}

impl KeyText {
    /// A new key.
    pub(super) fn make(mode: KeyMode) -> Result<Self, NoRandom> {
        let id = random_base62::<ID_CHARS>()?;
        let secret = random_base62::<SECRET_CHARS>()?;
        let front = format!("tw_{}_{id}_{secret}", mode.as_str());
        let text = format!("{front}{}", checksum(&front));
        Ok(Self { text, id, mode })
    }

    /// Reads a key; `None` when its form or checksum is wrong.
    pub fn parse(text: &str) -> Option<Self> {
        let (mode, rest) = KeyMode::ALL.into_iter().find_map(|mode| {
            Some((mode, text.strip_prefix("tw_")?.strip_prefix(mode.as_str())?.strip_prefix('_')?))
        })?;
        let (id, tail) = rest.split_once('_')?;
        let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if id.len() != ID_CHARS || tail.len() != SECRET_CHARS + CHECKSUM_CHARS || !plain(id) || !plain(tail) {
            return None;
        }
        let front = &text[..text.len() - CHECKSUM_CHARS];
        let right = text[front.len()..] == checksum(front);
        right.then(|| Self { text: text.to_owned(), id: id.to_owned(), mode })
    }

    /// The part that stands open, by which the key is found and spoken of.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The whole key. Shown once, never kept.
    pub fn reveal(&self) -> &str {
        &self.text
    }

    /// What is kept of the secret.
    pub(super) fn secret_hash(&self, pepper: &SecretKey) -> Vec<u8> {
        keyed_hash(pepper, self.text.as_bytes())
    }
}

impl std::fmt::Debug for KeyText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "tw_{}_{}_…", self.mode.as_str(), self.id)
    }
}

/// Characters without a lean: bytes beyond the last multiple of 62 are thrown away.
fn random_base62<const N: usize>() -> Result<String, NoRandom> {
    let mut text = String::with_capacity(N);
    while text.len() < N {
        for byte in random_bytes::<64>()? {
            if byte < 248 && text.len() < N {
                text.push(char::from(BASE62[usize::from(byte % 62)]));
            }
        }
    }
    Ok(text)
}

fn checksum(front: &str) -> String {
    let mut crc = flate2::Crc::new();
    crc.update(front.as_bytes());
    let mut rest = crc.sum();
    let mut digits = [b'0'; CHECKSUM_CHARS];
    for digit in digits.iter_mut().rev() {
        *digit = BASE62[(rest % 62) as usize];
        rest /= 62;
    }
    digits.iter().copied().map(char::from).collect()
}

/// A key whose secret was right, and the stores it is bound to. Its scope is not yet asked: handlers take
/// [`IngestKey`] or [`ReadKey`].
#[derive(Clone, Debug)]
pub struct ApiKey {
    pub id: String,
    pub scope: KeyScope,
    pub mode: KeyMode,
    stores: Arc<Vec<Store>>,
}

impl ApiKey {
    /// The stores this key may touch, oldest first.
    pub fn stores(&self) -> &[Store] {
        &self.stores
    }

    /// The store of this slug, if the key may touch it.
    pub fn store(&self, slug: &str) -> Option<&Store> {
        self.stores.iter().find(|store| store.slug == slug)
    }

    /// The store of a record that names none: there must be exactly one.
    pub fn only_store(&self) -> Option<&Store> {
        match self.stores.as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }

    /// True when its records are tests.
    pub fn is_test(&self) -> bool {
        self.mode == KeyMode::Test
    }

    fn require(self, scope: KeyScope) -> Result<Self, WebError> {
        if self.scope == scope { Ok(self) } else { Err(WebError::KeyScope(scope)) }
    }
}

/// A key that may send records.
#[derive(Clone, Debug)]
pub struct IngestKey(pub ApiKey);

/// A key that may read reports.
#[derive(Clone, Debug)]
pub struct ReadKey(pub ApiKey);

struct Known {
    record: ApiKeyRecord,
    stores: Arc<Vec<Store>>,
    read_at: Instant,
    /// The hour of the last use that is written down, in ms.
    used_ms: AtomicI64,
    /// True while somebody asks the database anew: the others need not ask too.
    is_asked: AtomicBool,
}

impl Known {
    /// True when it was read a moment ago, or a little longer while another request is asking anew.
    fn is_fresh(&self, now: Instant) -> bool {
        let age = (now - self.read_at).abs();
        age < REMEMBERED || (age < REMEMBERED * 2 && self.is_asked.swap(true, Ordering::Relaxed))
    }
}

/// Keys that exist, remembered for a moment: a busy till sends hundreds of requests a second with one key.
#[derive(Default)]
pub(super) struct KnownKeys(RwLock<HashMap<String, Arc<Known>>>);

impl KnownKeys {
    pub(super) fn clear(&self) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    async fn find(
        &self,
        database: &Database,
        id: &str,
        now: Instant,
    ) -> Result<Option<Arc<Known>>, StoreError> {
        let remembered = self.0.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned();
        if let Some(known) = remembered.filter(|known| known.is_fresh(now)) {
            return Ok(Some(known));
        }
        let Some(record) = database.api_key(id).await? else { return Ok(None) };
        let mut stores = database.stores().await?;
        stores.retain(|store| store.organisation == record.organisation && record.stores.contains(store.id));
        let used_ms = AtomicI64::new(record.last_used_at.map_or(0, |at| at.timestamp_millis()));
        let is_asked = AtomicBool::new(false);
        let known = Arc::new(Known { record, stores: Arc::new(stores), read_at: now, used_ms, is_asked });
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned(), Arc::clone(&known));
        Ok(Some(known))
    }
}

impl FromRequest for ApiKey {
    type Error = WebError;
    type Future = Extracted<Self>;

    /// Reads `Authorization: Bearer …`, and nothing else: a key in an address ends up in logs.
    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let state = state_of(&request)?;
            let bearer = request
                .headers()
                .get(AUTHORIZATION)
                .and_then(|value| value.to_str().ok())
                .and_then(|value| value.strip_prefix("Bearer "))
                .ok_or(WebError::KeyMissing)?;
            let door = &state.door;
            let now = state.clock.now();
            let found = match KeyText::parse(bearer.trim()) {
                Some(text) => known_key(door, &state.database, &text, now).await?,
                None => None,
            };
            let Some(known) = found else {
                let ip = client_ip(&request, &state.config);
                return Err(if door.limits.may_show_a_wrong_key(ip) {
                    WebError::KeyWrong
                } else {
                    WebError::TooMany { retry_after_s: 60 }
                });
            };
            note_use(&state.database, &known, now).await;
            let ApiKeyRecord { id, scope, mode, .. } = known.record.clone();
            Ok(Self { id, scope, mode, stores: Arc::clone(&known.stores) })
        })
    }
}

/// The key of this text, if it exists, is in use and its secret is right.
async fn known_key(
    door: &super::Door,
    database: &Database,
    text: &KeyText,
    now: Instant,
) -> Result<Option<Arc<Known>>, WebError> {
    let found = door.known_keys.find(database, &text.id, now).await?;
    let secret_hash = text.secret_hash(&door.keys.pepper);
    Ok(found.filter(|known| {
        let right: bool = known.record.secret_hmac.ct_eq(&secret_hash).into();
        right && known.record.revoked_at.is_none() && known.record.mode == text.mode
    }))
}

/// Writes down the hour of the last use, once an hour. A full disk must not keep a reader out.
async fn note_use(database: &Database, known: &Known, now: Instant) {
    let hour = now.duration_trunc(TimeDelta::hours(1)).unwrap_or(now);
    if known.used_ms.fetch_max(hour.timestamp_millis(), Ordering::Relaxed) < hour.timestamp_millis()
        && let Err(error) = database.touch_api_key(&known.record.id, hour).await
    {
        tracing::warn!(key = known.record.id, %error, "the last use of a key was not written down");
    }
}

impl FromRequest for IngestKey {
    type Error = WebError;
    type Future = Extracted<Self>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let key = ApiKey::from_request(request, payload);
        Box::pin(async move { Ok(Self(key.await?.require(KeyScope::Ingest)?)) })
    }
}

impl FromRequest for ReadKey {
    type Error = WebError;
    type Future = Extracted<Self>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let key = ApiKey::from_request(request, payload);
        Box::pin(async move { Ok(Self(key.await?.require(KeyScope::Read)?)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_reads_back_and_one_wrong_character_is_seen() {
        let key = KeyText::make(KeyMode::Live).unwrap();
        let text = key.reveal().to_owned();
        assert_eq!(text.len(), "tw_live_".len() + ID_CHARS + 1 + SECRET_CHARS + CHECKSUM_CHARS);
        assert_eq!(KeyText::parse(&text).unwrap().id(), key.id());
        for at in 0..text.len() {
            let mut wrong = text.clone().into_bytes();
            wrong[at] = if wrong[at] == b'x' { b'y' } else { b'x' };
            assert!(KeyText::parse(std::str::from_utf8(&wrong).unwrap()).is_none(), "at {at}");
        }
        for wrong in ["", "tw_", "tw_live_", "Bearer", &text[1..], &text[..text.len() - 1], "tw_live_店店_"]
        {
            assert!(KeyText::parse(wrong).is_none(), "{wrong}");
        }
        assert!(!format!("{key:?}").contains(&text[20..]), "a log line would hold the secret");
    }

    #[test]
    fn checksums_are_fixed_for_scanners() {
        // CRC-32 of "123456789" is 0xCBF43926.
        let mut rest = 0xCBF4_3926_u32;
        let mut expected = Vec::new();
        while expected.len() < CHECKSUM_CHARS {
            expected.insert(0, BASE62[(rest % 62) as usize]);
            rest /= 62;
        }
        assert_eq!(checksum("123456789").as_bytes(), expected);
    }
}
