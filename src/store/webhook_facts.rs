//! What notices said of one payment, refund or dispute where no single one says all of it.

use super::statement::statement;
use super::{Database, StoreError};
use crate::domain::{Instant, StoreId};

/// Whose facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FactScope<'a> {
    pub store: StoreId,
    pub provider: &'a str,
    pub account: &'a str,
    pub test: bool,
}

/// A fact about a subject.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct KeptFact {
    #[sqlx(rename = "fact_key")]
    pub key: String,
    #[sqlx(rename = "fact")]
    pub said: String,
    /// Pseudonym of the shopper.
    pub customer: Option<String>,
}

impl Database {
    /// Keeps facts, each under its subject; of two of one key the first stays.
    pub async fn keep_webhook_facts<'f>(
        &self,
        scope: FactScope<'_>,
        facts: impl Iterator<Item = (&'f str, KeptFact)> + Send,
        now: Instant,
    ) -> Result<(), StoreError> {
        let facts: Vec<(&str, KeptFact)> = facts.collect();
        let mut write = self.begin_write().await?;
        for (subject, fact) in facts {
            statement(include_str!("sql/insert_webhook_fact.sql"))
                .bind(scope.store.0)
                .bind(scope.provider)
                .bind(scope.account)
                .bind(scope.test)
                .bind(subject)
                .bind(fact.key)
                .bind(fact.said)
                .bind(fact.customer)
                .bind(now.timestamp_millis())
                .execute(write.connection())
                .await?;
        }
        write.commit().await
    }

    /// The facts about a subject, by their key; at most so many.
    pub async fn webhook_facts(
        &self,
        scope: FactScope<'_>,
        subject: &str,
        facts_max: i64,
    ) -> Result<Vec<KeptFact>, StoreError> {
        statement(include_str!("sql/list_webhook_facts.sql"))
            .bind(scope.store.0)
            .bind(scope.provider)
            .bind(scope.account)
            .bind(scope.test)
            .bind(subject)
            .bind(facts_max)
            .fetch_all(self.readers())
            .await
    }

    /// Forgets facts that came before.
    pub async fn expire_webhook_facts(&self, before: Instant) -> Result<u64, StoreError> {
        let mut write = self.begin_write().await?;
        let expired = statement(include_str!("sql/expire_webhook_facts.sql"))
            .bind(before.timestamp_millis())
            .execute(write.connection())
            .await?;
        write.commit().await?;
        Ok(expired)
    }

    /// Every shopper that a fact points to.
    pub async fn webhook_fact_customers(&self) -> Result<Vec<String>, StoreError> {
        statement(include_str!("sql/list_webhook_fact_customers.sql")).scalar_all(self.readers()).await
    }

    /// Takes a shopper out of all facts.
    pub async fn erase_from_webhook_facts(&self, customer: &str) -> Result<u64, StoreError> {
        let mut write = self.begin_write().await?;
        let erased = statement(include_str!("sql/erase_from_webhook_facts.sql"))
            .bind(customer)
            .execute(write.connection())
            .await?;
        write.commit().await?;
        Ok(erased)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{FIRST_SETUP, on_both_engines};
    use super::*;
    use crate::domain::instant_from_ms;

    on_both_engines!(the_first_that_says_a_thing_is_believed);

    async fn the_first_that_says_a_thing_is_believed(database: Database) {
        let now = instant_from_ms(5);
        database.put_setup_token(b"t", instant_from_ms(10)).await.unwrap();
        let (_, store) = database.complete_setup(&FIRST_SETUP, now).await.unwrap();
        let scope = FactScope { store: store.id, provider: "adyen", account: "Shop", test: false };
        let fact = |key: &str, said: &str| KeptFact {
            key: key.into(),
            said: said.into(),
            customer: Some("c".into()),
        };
        let facts =
            [("payment/1", fact("b", "1")), ("payment/1", fact("a", "2")), ("payment/2", fact("a", "3"))];
        database.keep_webhook_facts(scope, facts.into_iter(), now).await.unwrap();
        database.keep_webhook_facts(scope, [("payment/1", fact("b", "9"))].into_iter(), now).await.unwrap();
        let kept = database.webhook_facts(scope, "payment/1", 10).await.unwrap();
        assert_eq!(kept, [fact("a", "2"), fact("b", "1")]);
        let other = FactScope { test: true, ..scope };
        assert!(database.webhook_facts(other, "payment/1", 10).await.unwrap().is_empty());
        assert_eq!(database.webhook_fact_customers().await.unwrap(), ["c"]);
        assert_eq!(database.erase_from_webhook_facts("c").await.unwrap(), 3);
        assert!(database.webhook_fact_customers().await.unwrap().is_empty());
        assert_eq!(database.expire_webhook_facts(now).await.unwrap(), 0);
        assert_eq!(database.expire_webhook_facts(instant_from_ms(6)).await.unwrap(), 3);
    }
}
