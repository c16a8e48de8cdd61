//! Answers that are kept for retries under an `Idempotency-Key`, in the same transaction as the rows they speak of.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use crate::domain::Instant;

use super::statement::statement;
use super::{Database, StoreError, WriteTransaction};

/// A BLAKE3 hash.
pub type Hash = [u8; 32];

/// Keys of requests that are under way in this process.
#[derive(Clone, Debug, Default)]
pub struct Claims(Arc<Mutex<HashSet<Hash>>>);

/// A key that one request has to itself until this is dropped: with the request, or after the commit of its rows.
#[derive(Debug)]
pub struct Claim {
    key: Hash,
    claims: Claims,
}

impl Claims {
    /// The key for one request alone; `None` while another request has it.
    pub fn claim(&self, key: Hash) -> Option<Claim> {
        let is_free = self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key);
        is_free.then(|| Claim { key, claims: self.clone() })
    }
}

impl Claim {
    /// The hash of the key and its scope.
    pub const fn key(&self) -> &Hash {
        &self.key
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.claims.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

/// An answer to be kept with the rows it speaks of.
#[derive(Debug)]
pub struct KeptAnswer {
    pub claim: Claim,
    /// Of the request's body.
    pub body: Hash,
    pub answer: Vec<u8>,
}

/// An answer that was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenAnswer {
    /// Hash of the body that it was given to.
    pub body: Vec<u8>,
    pub answer: Vec<u8>,
}

impl WriteTransaction {
    /// Keeps an answer. Durable after `commit`, together with the rows. One that is there already for the same body, as
    /// after a group that is sent again, stays.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when another process has kept one for another body under this key meanwhile.
    pub async fn keep_answer(&mut self, kept: &KeptAnswer, at: Instant) -> Result<(), StoreError> {
        let added = statement(include_str!("sql/keep_answer.sql"))
            .bind(kept.claim.key().as_slice())
            .bind(kept.body.as_slice())
            .bind(kept.answer.as_slice())
            .bind(at.timestamp_millis())
            .execute(self.connection())
            .await?;
        if added == 1 {
            return Ok(());
        }
        let (body, _): (Vec<u8>, Vec<u8>) = statement(include_str!("sql/find_answer.sql"))
            .bind(kept.claim.key().as_slice())
            .fetch_one(self.connection())
            .await?;
        if body == kept.body { Ok(()) } else { Err(StoreError::Conflict("an idempotency key")) }
    }
}

impl Database {
    /// The answer that was given under this key.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_answer(&self, key: &Hash) -> Result<Option<GivenAnswer>, StoreError> {
        let found: Option<(Vec<u8>, Vec<u8>)> = statement(include_str!("sql/find_answer.sql"))
            .bind(key.as_slice())
            .fetch_optional(self.readers())
            .await?;
        Ok(found.map(|(body, answer)| GivenAnswer { body, answer }))
    }

    /// Deletes at most `answers_max` answers that were given before `before`; returns how many.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn expire_answers(&self, before: Instant, answers_max: i64) -> Result<u64, StoreError> {
        let mut write = self.begin_write().await?;
        let deleted = statement(include_str!("sql/expire_answers.sql"))
            .bind(before.timestamp_millis())
            .bind(answers_max)
            .execute(write.connection())
            .await?;
        write.commit().await?;
        Ok(deleted)
    }
}
