//! Merchant accounts whose bills are fetched, and what became of each day's bill.

use chrono::NaiveDate;

use super::statement::statement;
use super::{Database, Opened, Seal, SealError, SealedPlace, StoreError};
use crate::domain::{BillKind, BillProvider, Instant, StoreId, instant_from_ms};

/// A merchant account whose bills can be fetched. Its private key is asked for by [`Database::bill_source_key`] alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BillSource {
    pub id: i64,
    pub store: StoreId,
    pub provider: BillProvider,
    /// WeChat Pay: merchant id; Alipay: app id.
    pub account: String,
    pub kinds: Vec<BillKind>,
    pub is_on: bool,
    /// The provider's own days, from this one on.
    pub first_day: NaiveDate,
    pub public: PublicPart,
    /// False once the credentials were deleted.
    pub has_key: bool,
    pub changed_at: Instant,
}

/// What of the credentials is no secret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PublicPart {
    /// Of the private key.
    pub fingerprint: String,
    /// WeChat Pay: serial number of the merchant's certificate.
    pub certificate_serial: String,
    /// WeChat Pay: id of the provider's public key.
    pub platform_id: String,
    /// The provider's public keys or certificates.
    pub platform_keys: String,
}

/// A source to be kept.
#[derive(Clone, Debug)]
pub struct BillSourceDraft {
    pub store: StoreId,
    pub provider: BillProvider,
    pub account: String,
    pub kinds: Vec<BillKind>,
    pub is_on: bool,
    pub first_day: NaiveDate,
    pub public: PublicPart,
    pub private_key: Opened,
}

/// Why a key cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum KeptKeyError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error("the credentials were deleted")]
    Deleted,
}

/// Where the bill of a day stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchState {
    /// Asked for again at a known time.
    Waiting,
    Fetched,
    /// The provider says that nothing happened on that day.
    NoActivity,
    /// The provider has none, and does not say why.
    NoBill,
    /// Does not come before somebody changes something.
    Failed,
}

impl FetchState {
    /// Every state.
    pub const ALL: [Self; 5] = [Self::Waiting, Self::Fetched, Self::NoActivity, Self::NoBill, Self::Failed];

    /// The word in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Fetched => "fetched",
            Self::NoActivity => "no_activity",
            Self::NoBill => "no_bill",
            Self::Failed => "failed",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// Why a bill did not come, in both languages; empty when there is nothing to say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    pub code: String,
    pub sentence_en: String,
    pub sentence_zh: String,
}

/// The bill of one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BillFetch {
    pub source: i64,
    pub kind: BillKind,
    pub day: NaiveDate,
    pub state: FetchState,
    pub tries: i64,
    /// While waiting.
    pub next_try_at: Instant,
    pub last_try_at: Option<Instant>,
    pub told: Told,
    pub import: Option<i64>,
    /// Payments of a day without a bill that we know of.
    pub payments_known: Option<i64>,
}

/// What became of a try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchOutcome {
    pub state: FetchState,
    pub next_try_at: Instant,
    pub told: Told,
    pub import: Option<i64>,
    pub payments_known: Option<i64>,
}

#[derive(sqlx::FromRow)]
struct SourceRow {
    id: i64,
    store_id: i64,
    provider: String,
    account: String,
    kinds: String,
    is_on: i64,
    first_day: String,
    certificate_serial: String,
    platform_id: String,
    platform_keys: String,
    key_bytes: i64,
    fingerprint: String,
    changed_at_ms: i64,
}

impl SourceRow {
    fn read(self) -> Result<BillSource, StoreError> {
        let wrong = |what: &str| StoreError::Inconsistent {
            table: "bill_source",
            row: self.id.to_string(),
            what: what.to_owned(),
        };
        let kinds: Option<Vec<BillKind>> = self.kinds.split_whitespace().map(BillKind::parse).collect();
        Ok(BillSource {
            provider: BillProvider::parse(&self.provider).ok_or_else(|| wrong("unknown provider"))?,
            kinds: kinds.ok_or_else(|| wrong("unknown kind"))?,
            first_day: self.first_day.parse().map_err(|_| wrong("first_day is no day"))?,
            id: self.id,
            store: StoreId(self.store_id),
            account: self.account,
            is_on: self.is_on != 0,
            public: PublicPart {
                fingerprint: self.fingerprint,
                certificate_serial: self.certificate_serial,
                platform_id: self.platform_id,
                platform_keys: self.platform_keys,
            },
            has_key: self.key_bytes > 0,
            changed_at: instant_from_ms(self.changed_at_ms),
        })
    }
}

#[derive(sqlx::FromRow)]
struct FetchRow {
    source_id: i64,
    kind: String,
    day: String,
    state: String,
    tries: i64,
    next_try_ms: i64,
    last_try_ms: Option<i64>,
    code: String,
    sentence_en: String,
    sentence_zh: String,
    import_id: Option<i64>,
    payments_known: Option<i64>,
}

impl FetchRow {
    fn read(self) -> Result<BillFetch, StoreError> {
        let wrong = |what: &str| StoreError::Inconsistent {
            table: "bill_fetch",
            row: format!("{} {} {}", self.source_id, self.kind, self.day),
            what: what.to_owned(),
        };
        Ok(BillFetch {
            source: self.source_id,
            kind: BillKind::parse(&self.kind).ok_or_else(|| wrong("unknown kind"))?,
            day: self.day.parse().map_err(|_| wrong("day is no day"))?,
            state: FetchState::parse(&self.state).ok_or_else(|| wrong("unknown state"))?,
            tries: self.tries,
            next_try_at: instant_from_ms(self.next_try_ms),
            last_try_at: self.last_try_ms.map(instant_from_ms),
            told: Told { code: self.code, sentence_en: self.sentence_en, sentence_zh: self.sentence_zh },
            import: self.import_id,
            payments_known: self.payments_known,
        })
    }
}

fn words(kinds: &[BillKind]) -> String {
    kinds.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(" ")
}

/// The row of a source, by what never changes of it: the key is sealed before there is a number.
fn row_of(store: StoreId, provider: BillProvider, account: &str) -> String {
    format!("{} {} {account}", store.0, provider.as_str())
}

const fn place(row: &str) -> SealedPlace<'_> {
    SealedPlace { table: "bill_source", row, column: "sealed_key" }
}

impl Database {
    /// Every source, whether switched on or not.
    pub async fn bill_sources(&self) -> Result<Vec<BillSource>, StoreError> {
        let rows: Vec<SourceRow> =
            statement(include_str!("sql/list_bill_sources.sql")).fetch_all(self.readers()).await?;
        rows.into_iter().map(SourceRow::read).collect()
    }

    /// Keeps a source, its key sealed; one of the same store, provider and account gives way.
    ///
    /// # Errors
    /// [`KeptKeyError`].
    pub async fn replace_bill_source(
        &self,
        seal: &Seal,
        draft: &BillSourceDraft,
        now: Instant,
    ) -> Result<i64, KeptKeyError> {
        let row = row_of(draft.store, draft.provider, &draft.account);
        let sealed = seal.seal(place(&row), draft.private_key.reveal())?;
        let mut write = self.begin_write().await?;
        let id = statement(include_str!("sql/replace_bill_source.sql"))
            .bind(draft.store.0)
            .bind(draft.provider.as_str())
            .bind(&draft.account)
            .bind(words(&draft.kinds))
            .bind(draft.is_on)
            .bind(draft.first_day.to_string())
            .bind(&draft.public.certificate_serial)
            .bind(&draft.public.platform_id)
            .bind(&draft.public.platform_keys)
            .bind(sealed)
            .bind(&draft.public.fingerprint)
            .bind(now.timestamp_millis())
            .scalar_one(write.connection())
            .await?;
        write.commit().await?;
        Ok(id)
    }

    /// Opens the private key of a source.
    ///
    /// # Errors
    /// [`KeptKeyError`].
    pub async fn bill_source_key(&self, seal: &Seal, source: &BillSource) -> Result<Opened, KeptKeyError> {
        let sealed: Option<(Vec<u8>,)> = statement(include_str!("sql/get_bill_source_key.sql"))
            .bind(source.id)
            .fetch_optional(self.readers())
            .await?;
        let (sealed,) = sealed.filter(|(sealed,)| !sealed.is_empty()).ok_or(KeptKeyError::Deleted)?;
        Ok(seal.open(place(&row_of(source.store, source.provider, &source.account)), &sealed)?)
    }

    /// Changes what is fetched; the credentials stay. Bills that did not come and are wished for no more leave the list.
    pub async fn set_bill_source(
        &self,
        id: i64,
        kinds: &[BillKind],
        is_on: bool,
        first_day: NaiveDate,
        now: Instant,
    ) -> Result<(), StoreError> {
        let mut write = self.begin_write().await?;
        statement(include_str!("sql/set_bill_source.sql"))
            .bind(id)
            .bind(words(kinds))
            .bind(is_on)
            .bind(first_day.to_string())
            .bind(now.timestamp_millis())
            .execute(write.connection())
            .await?;
        for unwished in BillKind::ALL.iter().filter(|kind| !kinds.contains(kind)) {
            statement(include_str!("sql/forget_bill_fetches_of_kind.sql"))
                .bind(id)
                .bind(unwished.as_str())
                .execute(write.connection())
                .await?;
        }
        statement(include_str!("sql/forget_bill_fetches_before.sql"))
            .bind(id)
            .bind(first_day.to_string())
            .execute(write.connection())
            .await?;
        write.commit().await
    }

    /// Deletes the credentials of a source and switches it off; what became of its bills stays known.
    pub async fn forget_bill_source_key(&self, id: i64, now: Instant) -> Result<(), StoreError> {
        let mut write = self.begin_write().await?;
        statement(include_str!("sql/forget_bill_source_key.sql"))
            .bind(id)
            .bind(Vec::new())
            .bind(now.timestamp_millis())
            .execute(write.connection())
            .await?;
        write.commit().await
    }

    /// Puts bills on the list, to be asked for from `now` on; those that stand there stay as they are.
    pub async fn add_bill_fetches(
        &self,
        source: i64,
        wished: &[(BillKind, NaiveDate)],
        now: Instant,
    ) -> Result<u64, StoreError> {
        let mut write = self.begin_write().await?;
        let mut added = 0;
        for (kind, day) in wished {
            added += statement(include_str!("sql/insert_bill_fetch.sql"))
                .bind(source)
                .bind(kind.as_str())
                .bind(day.to_string())
                .bind(now.timestamp_millis())
                .execute(write.connection())
                .await?;
        }
        write.commit().await?;
        Ok(added)
    }

    /// Takes bills of days after `last` off the list, but for those that came: days that a wrong clock made up.
    pub async fn forget_bill_fetches_after(&self, source: i64, last: NaiveDate) -> Result<u64, StoreError> {
        let mut write = self.begin_write().await?;
        let gone = statement(include_str!("sql/forget_bill_fetches_after.sql"))
            .bind(source)
            .bind(last.to_string())
            .execute(write.connection())
            .await?;
        write.commit().await?;
        Ok(gone)
    }

    /// The bills of a source from a day on, newest day first.
    pub async fn bill_fetches(&self, source: i64, since: NaiveDate) -> Result<Vec<BillFetch>, StoreError> {
        let rows: Vec<FetchRow> = statement(include_str!("sql/list_bill_fetches.sql"))
            .bind(source)
            .bind(since.to_string())
            .fetch_all(self.readers())
            .await?;
        rows.into_iter().map(FetchRow::read).collect()
    }

    /// Bills to ask for now, newest day first, of sources that are switched on. A time beyond `latest` was written under a
    /// wrong clock and has come, too.
    pub async fn due_bill_fetches(
        &self,
        now: Instant,
        latest: Instant,
        most: i64,
    ) -> Result<Vec<BillFetch>, StoreError> {
        let rows: Vec<FetchRow> = statement(include_str!("sql/due_bill_fetches.sql"))
            .bind(now.timestamp_millis())
            .bind(latest.timestamp_millis())
            .bind(most)
            .fetch_all(self.readers())
            .await?;
        rows.into_iter().map(FetchRow::read).collect()
    }

    /// Takes a bill to be fetched, so that nobody else does until `until`; `None`: somebody has it.
    pub async fn claim_bill_fetch(
        &self,
        fetch: &BillFetch,
        until: Instant,
    ) -> Result<Option<BillFetch>, StoreError> {
        let mut write = self.begin_write().await?;
        let claimed = statement(include_str!("sql/claim_bill_fetch.sql"))
            .bind(fetch.source)
            .bind(fetch.kind.as_str())
            .bind(fetch.day.to_string())
            .bind(fetch.next_try_at.timestamp_millis())
            .bind(until.timestamp_millis())
            .execute(write.connection())
            .await?;
        write.commit().await?;
        Ok((claimed == 1).then(|| BillFetch { next_try_at: until, ..fetch.clone() }))
    }

    /// Notes what became of a claimed bill. False: the claim ran out, and somebody else has it.
    pub async fn settle_bill_fetch(
        &self,
        claimed: &BillFetch,
        outcome: &FetchOutcome,
        now: Instant,
    ) -> Result<bool, StoreError> {
        let mut write = self.begin_write().await?;
        let settled = statement(include_str!("sql/settle_bill_fetch.sql"))
            .bind(claimed.source)
            .bind(claimed.kind.as_str())
            .bind(claimed.day.to_string())
            .bind(claimed.next_try_at.timestamp_millis())
            .bind(outcome.state.as_str())
            .bind(outcome.next_try_at.timestamp_millis())
            .bind(now.timestamp_millis())
            .bind(&outcome.told.code)
            .bind(&outcome.told.sentence_en)
            .bind(&outcome.told.sentence_zh)
            .bind(outcome.import)
            .bind(outcome.payments_known)
            .execute(write.connection())
            .await?;
        write.commit().await?;
        Ok(settled == 1)
    }

    /// Has every bill of a source that did not come asked for again from `now` on, and those of days that the provider
    /// says were without activity while payments of them are known.
    pub async fn ask_bill_fetches(&self, source: i64, now: Instant) -> Result<u64, StoreError> {
        let mut write = self.begin_write().await?;
        let asked = statement(include_str!("sql/ask_bill_fetches.sql"))
            .bind(source)
            .bind(now.timestamp_millis())
            .execute(write.connection())
            .await?;
        write.commit().await?;
        Ok(asked)
    }

    /// Has one bill asked for again, whatever became of it. Whoever is fetching it now will find that it was taken away.
    pub async fn ask_bill_fetch(&self, fetch: &BillFetch, now: Instant) -> Result<(), StoreError> {
        let mut write = self.begin_write().await?;
        statement(include_str!("sql/ask_bill_fetch.sql"))
            .bind(fetch.source)
            .bind(fetch.kind.as_str())
            .bind(fetch.day.to_string())
            .bind(now.timestamp_millis())
            .execute(write.connection())
            .await?;
        write.commit().await
    }

    /// When each provider last gave an answer that settled a day.
    pub async fn last_bill_fetches(&self) -> Result<Vec<(BillProvider, Instant)>, StoreError> {
        let rows: Vec<(String, Option<i64>)> =
            statement(include_str!("sql/last_bill_fetches.sql")).fetch_all(self.readers()).await?;
        let read = |(provider, at): (String, Option<i64>)| {
            Some((BillProvider::parse(&provider)?, instant_from_ms(at?)))
        };
        Ok(rows.into_iter().filter_map(read).collect())
    }
}
