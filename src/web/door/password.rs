use std::sync::{Arc, LazyLock};

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;

/// Fewest characters of a password.
pub const PASSWORD_CHARS_MIN: usize = 15;
/// Most characters of a password; nothing is cut off.
pub const PASSWORD_CHARS_MAX: usize = 128;
/// Different characters that a password must have: `aaaaaaaaaaaaaaa` is 15 long and no secret.
const PASSWORD_DISTINCT_MIN: usize = 6;
/// Memory of one hash (OWASP's first choice for Argon2id).
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
/// Hashes that run at once: each takes a core for some 20 ms and 19 MiB.
const HASHES_MAX: usize = 2;
/// Hashes that run or wait; the next one is refused.
const WAITING_MAX: usize = 18;

/// Why a password could not be set or looked at.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// Shorter than [`PASSWORD_CHARS_MIN`] or longer than [`PASSWORD_CHARS_MAX`].
    #[error("a password has {PASSWORD_CHARS_MIN} to {PASSWORD_CHARS_MAX} characters")]
    Length,
    /// Repetitions, a row of keys, the address itself or our own name.
    #[error("this password is too easy to guess")]
    Guessable,
    /// Too many at once; try again.
    #[error("too many sign-ins at this moment")]
    Busy,
    /// The hash could not be made.
    #[error("hashing failed: {0}")]
    Hash(String),
}

/// Hashes passwords on threads of their own, a few at a time.
pub struct Passwords {
    running: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self { running: Arc::new(Semaphore::new(HASHES_MAX)), waiting: Arc::new(Semaphore::new(WAITING_MAX)) }
    }
}

/// Verified against when nobody has the address, so that the answer takes the same time.
static NOBODY: LazyLock<String> = LazyLock::new(|| hash_now("nobody has this password").unwrap_or_default());

impl Passwords {
    /// Checks the rules of a new password.
    ///
    /// # Errors
    /// [`PasswordError::Length`], [`PasswordError::Guessable`].
    pub fn judge(password: &str, email: &str) -> Result<(), PasswordError> {
        let length = password.chars().count();
        if !(PASSWORD_CHARS_MIN..=PASSWORD_CHARS_MAX).contains(&length) {
            return Err(PasswordError::Length);
        }
        let lower = password.to_lowercase();
        let distinct = lower.chars().collect::<std::collections::HashSet<_>>().len();
        let of_product = lower.replace("tillwatch", "").chars().count() < PASSWORD_CHARS_MIN / 2;
        let in_a_row = ["01234567890123456789", "qwertyuiopasdfghjklzxcvbnm", "abcdefghijklmnopqrstuvwxyz"]
            .iter()
            .any(|row| row.contains(&lower));
        if distinct < PASSWORD_DISTINCT_MIN || of_product || in_a_row || lower == email.to_lowercase() {
            return Err(PasswordError::Guessable);
        }
        Ok(())
    }

    /// The PHC string of a password. Its rules are not checked: [`Passwords::judge`].
    ///
    /// # Errors
    /// [`PasswordError::Busy`], [`PasswordError::Hash`].
    pub async fn hash(&self, password: String) -> Result<String, PasswordError> {
        self.run(move || hash_now(&password)).await
    }

    /// True when the password belongs to `hash`; `None` takes as long and is always false.
    ///
    /// # Errors
    /// [`PasswordError::Busy`]; a hash that cannot be read is an error too, not a wrong password.
    pub async fn verify(&self, password: String, hash: Option<String>) -> Result<bool, PasswordError> {
        self.run(move || {
            let known = hash.is_some();
            let hash = hash.unwrap_or_else(|| NOBODY.clone());
            let parsed = PasswordHash::new(&hash).map_err(|error| PasswordError::Hash(error.to_string()))?;
            let right = password.chars().count() <= PASSWORD_CHARS_MAX
                && Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok();
            Ok(known && right)
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, PasswordError> + Send + 'static,
    ) -> Result<T, PasswordError> {
        let _waiting = self.waiting.try_acquire().map_err(|_| PasswordError::Busy)?;
        let _running = self.running.acquire().await.map_err(|_| PasswordError::Busy)?;
        tokio::task::spawn_blocking(work).await.map_err(|error| PasswordError::Hash(error.to_string()))?
    }
}

fn hash_now(password: &str) -> Result<String, PasswordError> {
    let failed = |error: &dyn std::fmt::Display| PasswordError::Hash(error.to_string());
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).map_err(|error| failed(&error))?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let hash: PasswordHash = argon2.hash_password(password.as_bytes()).map_err(|error| failed(&error))?;
    Ok(hash.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_known_by_its_hash_and_nobody_has_one() {
        let passwords = Passwords::default();
        let hash = passwords.hash("correct horse battery".into()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(passwords.verify("correct horse battery".into(), Some(hash.clone())).await.unwrap());
        assert!(!passwords.verify("correct horse batterz".into(), Some(hash)).await.unwrap());
        assert!(!passwords.verify("nobody has this password".into(), None).await.unwrap());
        assert!(passwords.verify("x".into(), Some("no hash".into())).await.is_err());
    }

    #[test]
    fn length_counts_and_repetition_does_not_help() {
        for good in
            ["correct horse battery", "一二三四五六七八九十甲乙丙丁戊", "tillwatch and a good deal more"]
        {
            assert!(Passwords::judge(good, "a@example.com").is_ok(), "{good}");
        }
        for bad in [
            "fourteen chars",
            "aaaaaaaaaaaaaaaaaaaa",
            "qwertyuiopasdfghj",
            "tillwatchtillwatch1",
            "somebody@example.com",
            &"long".repeat(33),
        ] {
            assert!(Passwords::judge(bad, "somebody@example.com").is_err(), "{bad}");
        }
    }
}
