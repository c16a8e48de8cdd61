//! Where providers send their notices: addresses, their secrets, and what came that could not be proved or read.

use super::statement::statement;
use super::{Database, Opened, Seal, SealError, SealedPlace, StoreError};
use crate::domain::{Instant, KeyMode, StoreId, instant_from_ms};

/// Notices of one endpoint that could not be read and are kept; older ones give way.
pub const REJECTED_PER_ENDPOINT_MAX: i64 = 1_000;

/// An address that a provider sends to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointRecord {
    /// Stands in the address, and cannot be guessed.
    pub id: String,
    pub store: StoreId,
    pub provider: String,
    /// The merchant's id at the provider.
    pub account: String,
    pub mode: KeyMode,
    /// Alipay's app_id; empty where it is not asked.
    pub app_id: String,
    /// Adyen: an authorised payment is paid only when it is captured.
    pub manual_capture: bool,
    pub created_at: Instant,
    pub disabled_at: Option<Instant>,
    /// To the minute.
    pub last_event_at: Option<Instant>,
}

/// A secret of an endpoint, sealed.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretRecord {
    pub id: String,
    pub endpoint: String,
    pub kind: String,
    /// Serial of a certificate or id of a public key; empty where there is none.
    pub name: String,
    sealed: Vec<u8>,
    pub fingerprint: String,
    pub added_at: Instant,
    /// To the minute.
    pub last_used_at: Option<Instant>,
    /// Not used from then on.
    pub until: Option<Instant>,
}

/// A notice that was proved and could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedNotice {
    pub received_at: Instant,
    pub event: String,
    pub field: String,
    pub code: String,
}

impl std::fmt::Debug for SecretRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SecretRecord({}, …)", self.id)
    }
}

impl RejectedNotice {
    /// Seals the body for the row of this id.
    ///
    /// # Errors
    /// [`SealError::NotSealed`].
    pub fn seal(seal: &Seal, id: &str, body: &[u8]) -> Result<Vec<u8>, SealError> {
        seal.seal(SealedPlace { table: "webhook_rejected", row: id, column: "sealed" }, body)
    }
}

impl SecretRecord {
    /// Seals a secret for the row of this id.
    ///
    /// # Errors
    /// [`SealError::NotSealed`].
    pub fn sealing(
        seal: &Seal,
        (id, endpoint): (&str, &str),
        (kind, name): (&str, &str),
        secret: &Opened,
        now: Instant,
    ) -> Result<Self, SealError> {
        Ok(Self {
            id: id.to_owned(),
            endpoint: endpoint.to_owned(),
            kind: kind.to_owned(),
            name: name.to_owned(),
            sealed: seal.seal(place_of(id), secret.reveal())?,
            fingerprint: seal.fingerprint(secret.reveal()),
            added_at: now,
            last_used_at: None,
            until: None,
        })
    }

    /// The secret itself.
    ///
    /// # Errors
    /// [`SealError::NotOpened`].
    pub fn open(&self, seal: &Seal) -> Result<Opened, SealError> {
        seal.open(place_of(&self.id), &self.sealed)
    }

    /// True while it is used.
    pub fn is_in_force(&self, now: Instant) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

const fn place_of(id: &str) -> SealedPlace<'_> {
    SealedPlace { table: "webhook_secret", row: id, column: "sealed" }
}

#[derive(sqlx::FromRow)]
struct EndpointRow {
    id: String,
    store_id: i64,
    provider: String,
    account: String,
    mode: String,
    app_id: String,
    manual_capture: i64,
    created_at_ms: i64,
    disabled_at_ms: Option<i64>,
    last_event_ms: Option<i64>,
}

impl EndpointRow {
    fn read(self) -> Result<EndpointRecord, StoreError> {
        let Some(mode) = KeyMode::parse(&self.mode) else {
            let what = format!("mode `{}`", self.mode);
            return Err(StoreError::Inconsistent { table: "webhook_endpoint", row: self.id, what });
        };
        Ok(EndpointRecord {
            id: self.id,
            store: StoreId(self.store_id),
            provider: self.provider,
            account: self.account,
            mode,
            app_id: self.app_id,
            manual_capture: self.manual_capture != 0,
            created_at: instant_from_ms(self.created_at_ms),
            disabled_at: self.disabled_at_ms.map(instant_from_ms),
            last_event_at: self.last_event_ms.map(instant_from_ms),
        })
    }
}

#[derive(sqlx::FromRow)]
struct SecretRow {
    id: String,
    endpoint_id: String,
    kind: String,
    key_name: String,
    sealed: Vec<u8>,
    fingerprint: String,
    added_at_ms: i64,
    last_used_ms: Option<i64>,
    until_ms: Option<i64>,
}

impl From<SecretRow> for SecretRecord {
    fn from(row: SecretRow) -> Self {
        Self {
            id: row.id,
            endpoint: row.endpoint_id,
            kind: row.kind,
            name: row.key_name,
            sealed: row.sealed,
            fingerprint: row.fingerprint,
            added_at: instant_from_ms(row.added_at_ms),
            last_used_at: row.last_used_ms.map(instant_from_ms),
            until: row.until_ms.map(instant_from_ms),
        }
    }
}

/// Addresses.
impl Database {
    /// Adds an endpoint with its first secrets; its times but `created_at` are not looked at.
    pub async fn insert_webhook_endpoint(
        &self,
        endpoint: &EndpointRecord,
        secrets: &[SecretRecord],
    ) -> Result<(), StoreError> {
        let mut write = self.begin_write().await?;
        statement(include_str!("sql/insert_webhook_endpoint.sql"))
            .bind(&endpoint.id)
            .bind(endpoint.store.0)
            .bind(&endpoint.provider)
            .bind(&endpoint.account)
            .bind(endpoint.mode.as_str())
            .bind(&endpoint.app_id)
            .bind(endpoint.manual_capture)
            .bind(endpoint.created_at.timestamp_millis())
            .execute(write.connection())
            .await?;
        for secret in secrets {
            insert_secret(secret).execute(write.connection()).await?;
        }
        write.commit().await
    }

    /// The endpoint of that id, disabled or not.
    pub async fn webhook_endpoint(&self, id: &str) -> Result<Option<EndpointRecord>, StoreError> {
        let row: Option<EndpointRow> = statement(include_str!("sql/get_webhook_endpoint.sql"))
            .bind(id)
            .fetch_optional(self.readers())
            .await?;
        row.map(EndpointRow::read).transpose()
    }

    /// Every endpoint: those in use first, the newest of them first.
    pub async fn webhook_endpoints(&self) -> Result<Vec<EndpointRecord>, StoreError> {
        let rows: Vec<EndpointRow> =
            statement(include_str!("sql/list_webhook_endpoints.sql")).fetch_all(self.readers()).await?;
        rows.into_iter().map(EndpointRow::read).collect()
    }

    /// Ends an endpoint, or takes it into use again; false when there is none of that id.
    pub async fn set_webhook_endpoint_disabled(
        &self,
        id: &str,
        disabled_at: Option<Instant>,
    ) -> Result<bool, StoreError> {
        let mut write = self.begin_write().await?;
        let changed = statement(include_str!("sql/set_webhook_endpoint_disabled.sql"))
            .bind(id)
            .bind(disabled_at.map(|at| at.timestamp_millis()))
            .execute(write.connection())
            .await?;
        write.commit().await?;
        Ok(changed == 1)
    }

    /// Notes that an endpoint took a notice in, and with which of its secrets.
    pub async fn touch_webhook_endpoint(
        &self,
        id: &str,
        secrets: &[String],
        at: Instant,
    ) -> Result<(), StoreError> {
        let mut write = self.begin_write().await?;
        statement(include_str!("sql/touch_webhook_endpoint.sql"))
            .bind(id)
            .bind(at.timestamp_millis())
            .execute(write.connection())
            .await?;
        for secret in secrets {
            statement(include_str!("sql/touch_webhook_secret.sql"))
                .bind(secret)
                .bind(at.timestamp_millis())
                .execute(write.connection())
                .await?;
        }
        write.commit().await
    }
}

fn insert_secret(secret: &SecretRecord) -> super::statement::Statement<'_> {
    statement(include_str!("sql/insert_webhook_secret.sql"))
        .bind(&secret.id)
        .bind(&secret.endpoint)
        .bind(&secret.kind)
        .bind(&secret.name)
        .bind(&secret.sealed)
        .bind(&secret.fingerprint)
        .bind(secret.added_at.timestamp_millis())
}

/// Secrets.
impl Database {
    /// Adds a secret beside those in force.
    pub async fn insert_webhook_secret(&self, secret: &SecretRecord) -> Result<(), StoreError> {
        let mut write = self.begin_write().await?;
        insert_secret(secret).execute(write.connection()).await?;
        write.commit().await
    }

    /// The secrets of an endpoint: those in force first, the newest of them first.
    pub async fn webhook_secrets(&self, endpoint: &str) -> Result<Vec<SecretRecord>, StoreError> {
        let rows: Vec<SecretRow> = statement(include_str!("sql/list_webhook_secrets.sql"))
            .bind(endpoint)
            .fetch_all(self.readers())
            .await?;
        Ok(rows.into_iter().map(SecretRecord::from).collect())
    }

    /// Ends a secret and forgets it: only its fingerprint stays. False when there is none in force of that id.
    pub async fn end_webhook_secret(
        &self,
        endpoint: &str,
        id: &str,
        now: Instant,
    ) -> Result<bool, StoreError> {
        let mut write = self.begin_write().await?;
        let changed = statement(include_str!("sql/end_webhook_secret.sql"))
            .bind(id)
            .bind(endpoint)
            .bind(now.timestamp_millis())
            .bind(Vec::<u8>::new())
            .execute(write.connection())
            .await?;
        write.commit().await?;
        Ok(changed == 1)
    }
}

/// What could not be taken.
impl Database {
    /// Counts a notice that could not be proved, in its hour.
    pub async fn note_webhook_refusal(
        &self,
        endpoint: &str,
        hour: Instant,
        reason: &str,
    ) -> Result<(), StoreError> {
        let mut write = self.begin_write().await?;
        statement(include_str!("sql/note_webhook_refusal.sql"))
            .bind(endpoint)
            .bind(hour.timestamp_millis())
            .bind(reason)
            .execute(write.connection())
            .await?;
        write.commit().await
    }

    /// Endpoint, reason and number of what could not be proved from that hour on; the commonest reason first.
    pub async fn webhook_refusals(&self, since: Instant) -> Result<Vec<(String, String, i64)>, StoreError> {
        statement(include_str!("sql/sum_webhook_refusals.sql"))
            .bind(since.timestamp_millis())
            .fetch_all(self.readers())
            .await
    }

    /// Keeps a notice that was proved and could not be read, with its body as [`RejectedNotice::seal`] sealed it; empty
    /// where nothing may be kept of it.
    pub async fn add_rejected_notice(
        &self,
        (id, endpoint): (&str, &str),
        notice: &RejectedNotice,
        sealed: &[u8],
    ) -> Result<(), StoreError> {
        let mut write = self.begin_write().await?;
        statement(include_str!("sql/insert_webhook_rejected.sql"))
            .bind(id)
            .bind(endpoint)
            .bind(notice.received_at.timestamp_millis())
            .bind(&notice.event)
            .bind(&notice.field)
            .bind(&notice.code)
            .bind(sealed)
            .execute(write.connection())
            .await?;
        statement(include_str!("sql/trim_webhook_rejected.sql"))
            .bind(endpoint)
            .bind(REJECTED_PER_ENDPOINT_MAX)
            .execute(write.connection())
            .await?;
        write.commit().await
    }

    /// The newest notices of an endpoint that could not be read.
    pub async fn rejected_notices(
        &self,
        endpoint: &str,
        notices_max: i64,
    ) -> Result<Vec<RejectedNotice>, StoreError> {
        let rows: Vec<(i64, String, String, String)> =
            statement(include_str!("sql/list_webhook_rejected.sql"))
                .bind(endpoint)
                .bind(notices_max)
                .fetch_all(self.readers())
                .await?;
        let read = |(at_ms, event, field, code)| RejectedNotice {
            received_at: instant_from_ms(at_ms),
            event,
            field,
            code,
        };
        Ok(rows.into_iter().map(read).collect())
    }

    /// How many notices are kept of each endpoint that could not be read.
    pub async fn rejected_notice_counts(&self) -> Result<Vec<(String, i64)>, StoreError> {
        statement(include_str!("sql/count_webhook_rejected.sql")).fetch_all(self.readers()).await
    }

    /// Forgets counts and unread notices that are older.
    pub async fn expire_webhook_notes(
        &self,
        counts_before: Instant,
        notices_before: Instant,
    ) -> Result<u64, StoreError> {
        let mut write = self.begin_write().await?;
        let mut expired = 0;
        for (sql, before) in [
            (include_str!("sql/expire_webhook_refusals.sql"), counts_before),
            (include_str!("sql/expire_webhook_rejected.sql"), notices_before),
        ] {
            expired += statement(sql).bind(before.timestamp_millis()).execute(write.connection()).await?;
        }
        write.commit().await?;
        Ok(expired)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{FIRST_SETUP, on_both_engines};
    use super::*;

    on_both_engines!(
        secrets_are_sealed_and_an_ended_one_is_gone,
        what_could_not_be_taken_is_counted_and_kept_within_bounds,
    );

    const SEAL: Seal = Seal::new([1; 32]);

    async fn with_endpoint(database: &Database) -> EndpointRecord {
        database.put_setup_token(b"t", instant_from_ms(1)).await.unwrap();
        let (_, store) = database.complete_setup(&FIRST_SETUP, instant_from_ms(0)).await.unwrap();
        let endpoint = EndpointRecord {
            id: "e1".into(),
            store: store.id,
            provider: "stripe".into(),
            account: "acct_1".into(),
            mode: KeyMode::Live,
            app_id: String::new(),
            manual_capture: false,
            created_at: instant_from_ms(0),
            disabled_at: None,
            last_event_at: None,
        };
        let secret = Opened::new(b"whsec_canary_of_a_secret".to_vec());
        let first =
            SecretRecord::sealing(&SEAL, ("s1", "e1"), ("signing_secret", ""), &secret, instant_from_ms(0));
        database.insert_webhook_endpoint(&endpoint, &[first.unwrap()]).await.unwrap();
        endpoint
    }

    async fn secrets_are_sealed_and_an_ended_one_is_gone(database: Database) {
        let endpoint = with_endpoint(&database).await;
        assert_eq!(database.webhook_endpoints().await.unwrap(), [endpoint]);
        let now = instant_from_ms(60_000);
        database.touch_webhook_endpoint("e1", &["s1".into()], now).await.unwrap();
        let secrets = database.webhook_secrets("e1").await.unwrap();
        assert_eq!((secrets.len(), secrets[0].last_used_at), (1, Some(now)));
        assert_eq!(secrets[0].open(&SEAL).unwrap().reveal(), b"whsec_canary_of_a_secret");
        assert!(secrets[0].open(&Seal::new([2; 32])).is_err());
        assert!(!secrets[0].sealed.windows(6).any(|window| window == b"canary"));
        assert!(!format!("{secrets:?}").contains("canary"));
        assert!(!database.end_webhook_secret("e2", "s1", now).await.unwrap(), "of another endpoint");
        assert!(database.end_webhook_secret("e1", "s1", now).await.unwrap());
        assert!(!database.end_webhook_secret("e1", "s1", now).await.unwrap());
        let ended = database.webhook_secrets("e1").await.unwrap().remove(0);
        assert!(!ended.is_in_force(now) && ended.sealed.is_empty() && ended.open(&SEAL).is_err());
        assert!(database.set_webhook_endpoint_disabled("e1", Some(now)).await.unwrap());
        assert!(!database.set_webhook_endpoint_disabled("e9", Some(now)).await.unwrap());
        let endpoint = database.webhook_endpoint("e1").await.unwrap().unwrap();
        assert_eq!((endpoint.disabled_at, endpoint.last_event_at), (Some(now), Some(now)));
    }

    async fn what_could_not_be_taken_is_counted_and_kept_within_bounds(database: Database) {
        with_endpoint(&database).await;
        let hour = instant_from_ms(3_600_000);
        for reason in ["clock_off", "signature_wrong", "signature_wrong"] {
            database.note_webhook_refusal("e1", hour, reason).await.unwrap();
        }
        let counted = database.webhook_refusals(hour).await.unwrap();
        assert_eq!(
            counted,
            [("e1".into(), "signature_wrong".into(), 2), ("e1".into(), "clock_off".into(), 1)]
        );
        for number in 0..3 {
            let notice = RejectedNotice {
                received_at: instant_from_ms(number),
                event: "charge.failed".into(),
                field: "amount".into(),
                code: "missing".into(),
            };
            let id = format!("r{number}");
            let sealed = RejectedNotice::seal(&SEAL, &id, b"{}").unwrap();
            database.add_rejected_notice((&id, "e1"), &notice, &sealed).await.unwrap();
        }
        assert_eq!(database.rejected_notices("e1", 2).await.unwrap()[0].received_at, instant_from_ms(2));
        assert_eq!(database.rejected_notice_counts().await.unwrap(), [("e1".into(), 3)]);
        let gone =
            database.expire_webhook_notes(instant_from_ms(3_600_001), instant_from_ms(2)).await.unwrap();
        assert_eq!(gone, 4);
        assert_eq!(database.rejected_notice_counts().await.unwrap(), [("e1".into(), 1)]);
    }
}
