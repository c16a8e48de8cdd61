use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use chrono::{DurationRound, TimeDelta};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use super::derive::{FACTS_PER_SUBJECT_MAX, derive};
use super::keys::to_hex;
use super::reading::{EndpointContext, Fact, Fault, FaultCode, Reading};
use super::{Key, Keys, Notice, NoticeHeaders, Provider, SecretKind, Unverified, prove};
use crate::domain::{Clock, Instant, KeyMode, Transaction, Word, instant_from_ms};
use crate::intake::{Intake, IntakeError, Pseudonyms};
use crate::store::{
    Database, EndpointRecord, FactScope, KeptFact, RejectedNotice, Seal, SealError, StoreError,
};
use crate::telemetry::{Metrics, NoticeResult};

/// How long an endpoint is remembered without asking the database: what is changed by another server is heard after it.
const REMEMBERED: TimeDelta = TimeDelta::seconds(2);
/// Endpoints that are remembered before all are forgotten.
const REMEMBERED_MAX: usize = 10_000;
/// Notices that cannot be proved, from one network address to one endpoint, in [`WINDOW`].
const REFUSALS_PER_ADDRESS_MAX: u32 = 60;
const WINDOW: Duration = Duration::from_mins(15);
/// Seconds after which somebody who was limited may try again.
const RETRY_AFTER_S: u64 = 60;
/// Entries of the table of refusals before those that no longer count are dropped.
const TABLE_MAX: usize = 10_000;
/// What the day of birth of a row is kept under, among the facts of its subject.
const BORN: &str = "born ";
/// Facts and days of birth of one subject that are read.
const KEPT_MAX: usize = 2 * FACTS_PER_SUBJECT_MAX + 2;

/// Takes notices in: finds the endpoint, proves, reads, keeps, and says what to answer.
pub struct WebhookDesk {
    database: Database,
    intake: Arc<Intake>,
    seal: Seal,
    pseudonyms: Arc<Pseudonyms>,
    metrics: Arc<Metrics>,
    clock: Arc<dyn Clock>,
    known: RwLock<HashMap<String, Arc<Known>>>,
    refusals: DefaultKeyedRateLimiter<([u8; 16], IpAddr)>,
}

/// An endpoint in use, and its secrets in force.
pub struct Known {
    endpoint: EndpointRecord,
    provider: Provider,
    keys: Keys,
    read_at: Instant,
    /// The minute in which the use of the endpoint and of each key was last written down.
    noted: Mutex<BTreeMap<String, Instant>>,
}

/// What became of a notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivered {
    /// Committed: the provider need not send it again.
    Taken,
    /// Not believed.
    Refused(Unverified),
    /// Not believed, and there were too many of them from there.
    Limited { retry_after_s: u64 },
}

/// Why a notice could not be taken now. The provider sends it again.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    #[error(transparent)]
    Intake(#[from] IntakeError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error("the machine gives no random bytes")]
    NoRandom,
}

impl Known {
    /// The sender, for sharing the queue.
    pub fn sender(&self) -> Word {
        Word::of(&self.endpoint.id)
    }

    fn context<'a>(&'a self, pseudonyms: &'a Pseudonyms, now: Instant) -> EndpointContext<'a> {
        EndpointContext {
            store: self.endpoint.store,
            account: &self.endpoint.account,
            app_id: &self.endpoint.app_id,
            manual_capture: self.endpoint.manual_capture,
            test: self.endpoint.mode == KeyMode::Test,
            pseudonyms,
            now,
        }
    }

    fn scope(&self) -> FactScope<'_> {
        FactScope {
            store: self.endpoint.store,
            provider: self.provider.as_str(),
            account: &self.endpoint.account,
            test: self.endpoint.mode == KeyMode::Test,
        }
    }
}

impl WebhookDesk {
    /// A desk in front of this door.
    pub fn new(
        database: Database,
        intake: Arc<Intake>,
        seal: Seal,
        pseudonyms: Arc<Pseudonyms>,
        metrics: Arc<Metrics>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let burst = NonZeroU32::new(REFUSALS_PER_ADDRESS_MAX).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::with_period(WINDOW / burst.get()).unwrap_or_else(|| Quota::per_hour(burst));
        let refusals = RateLimiter::keyed(quota.allow_burst(burst));
        Self { database, intake, seal, pseudonyms, metrics, clock, known: RwLock::default(), refusals }
    }

    /// Forgets what is remembered of endpoints, so that a change is heard at once.
    pub fn forget(&self) {
        self.known.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The endpoint of this address, if it is one and in use.
    ///
    /// # Errors
    /// [`DeskError`].
    pub async fn find(&self, provider: &str, id: &str) -> Result<Option<Arc<Known>>, DeskError> {
        let now = self.clock.now();
        let remembered = self.known.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned();
        let is_fresh = |known: &Arc<Known>| (now - known.read_at).abs() < REMEMBERED;
        let known = match remembered.filter(is_fresh) {
            Some(known) => Some(known),
            None => self.read(id, now).await?,
        };
        Ok(known.filter(|known| known.provider.as_str() == provider && known.endpoint.disabled_at.is_none()))
    }

    async fn read(&self, id: &str, now: Instant) -> Result<Option<Arc<Known>>, DeskError> {
        let Some(endpoint) = self.database.webhook_endpoint(id).await? else { return Ok(None) };
        let Some(provider) = Provider::parse(&endpoint.provider) else { return Ok(None) };
        let mut keys = Vec::new();
        for record in self.database.webhook_secrets(id).await? {
            if let Some(kind) = SecretKind::parse(&record.kind).filter(|_| record.is_in_force(now)) {
                let secret = record.open(&self.seal)?;
                keys.push(Key { id: record.id.clone(), kind, name: record.name.clone(), secret });
            }
        }
        let noted = Mutex::default();
        let known = Arc::new(Known { endpoint, provider, keys: Keys(keys), read_at: now, noted });
        let mut remembered = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= REMEMBERED_MAX {
            remembered.clear();
        }
        if let Some(before) = remembered.get(id) {
            let noted = before.noted.lock().unwrap_or_else(PoisonError::into_inner).clone();
            *known.noted.lock().unwrap_or_else(PoisonError::into_inner) = noted;
        }
        remembered.insert(id.to_owned(), Arc::clone(&known));
        Ok(Some(known))
    }

    /// What is answered to an address that is none: the same as to a signature that is wrong. `network` is where it came
    /// from.
    pub fn refuse_stranger(&self, network: IpAddr) -> Delivered {
        self.metrics.webhook_notices(None, NoticeResult::NoEndpoint, 1);
        self.limited("", network).unwrap_or(Delivered::Refused(Unverified::SignatureWrong))
    }

    /// Takes a notice in.
    ///
    /// # Errors
    /// [`DeskError`]: nothing may be acknowledged.
    pub async fn take(
        &self,
        known: &Known,
        headers: &NoticeHeaders,
        body: &[u8],
        forwarded: bool,
        network: IpAddr,
    ) -> Result<Delivered, DeskError> {
        let now = self.clock.now();
        let context = known.context(&self.pseudonyms, now);
        let notice = Notice { headers, body, forwarded, now };
        let proved = match prove(known.provider, &notice, &known.keys, &context) {
            Ok(proved) => proved,
            Err(reason) => return self.refuse(known, reason, body, network, now).await,
        };
        let reading = proved.read(&context);
        self.count(known.provider, &reading);
        self.keep(known, &context, reading, body).await?;
        self.note_use(known, proved.keys_used(), now).await;
        Ok(Delivered::Taken)
    }

    fn count(&self, provider: Provider, reading: &Reading) {
        let said = reading.transactions.len() + reading.lines.len() + reading.facts.len();
        for (result, count) in [
            (NoticeResult::Taken, said),
            (NoticeResult::PassedOver, reading.passed_over),
            (NoticeResult::Unreadable, reading.faults.len()),
        ] {
            self.metrics.webhook_notices(Some(provider.as_str()), result, count);
        }
        self.metrics.webhook_unread_fields(provider.as_str(), reading.unread_fields);
    }

    /// Facts first: rows are made of all that are kept, and of those of other servers too.
    async fn keep(
        &self,
        known: &Known,
        context: &EndpointContext<'_>,
        reading: Reading,
        body: &[u8],
    ) -> Result<(), DeskError> {
        let Reading { mut transactions, lines, facts, mut faults, .. } = reading;
        let subjects: BTreeSet<String> = facts.iter().map(|fact| fact.subject.clone()).collect();
        if !facts.is_empty() {
            let kept = facts.iter().map(|fact| (fact.subject.as_str(), kept(fact)));
            self.database.keep_webhook_facts(known.scope(), kept, context.now).await?;
        }
        for subject in subjects {
            match self.rows_of(known, &subject, context).await? {
                Ok(rows) => transactions.extend(rows),
                Err(fault) => faults.push((subject, fault)),
            }
        }
        let feed = Word::of(known.provider.feed());
        self.intake.accept_from(known.sender(), feed, transactions, None).await?;
        self.intake.accept_from(known.sender(), feed, lines, None).await?;
        for (event, fault) in faults {
            self.set_aside(known, &event, fault.field, fault.code.as_str(), body, context.now).await?;
        }
        Ok(())
    }

    /// The rows that all kept facts about a subject make, each on the day on which it was first made.
    async fn rows_of(
        &self,
        known: &Known,
        subject: &str,
        context: &EndpointContext<'_>,
    ) -> Result<Result<Vec<Transaction>, Fault>, DeskError> {
        let (facts, mut born) = self.facts_of(known, subject).await?;
        if facts.len() + born.len() >= KEPT_MAX {
            return Ok(Err(Fault { field: "", code: FaultCode::TooMany }));
        }
        let rows = match derive(known.provider, &facts, context) {
            Ok(rows) => rows,
            Err(fault) => return Ok(Err(fault)),
        };
        let unborn: Vec<KeptFact> = rows
            .iter()
            .filter(|row| !born.contains_key(&row.birth_key()))
            .map(|row| KeptFact {
                key: format!("{BORN}{}", row.birth_key()),
                said: row.0.created_at.timestamp_millis().to_string(),
                customer: None,
            })
            .collect();
        if !unborn.is_empty() {
            let births = unborn.into_iter().map(|birth| (subject, birth));
            self.database.keep_webhook_facts(known.scope(), births, context.now).await?;
            // Another server may have been first.
            born = self.facts_of(known, subject).await?.1;
        }
        let rows = rows.into_iter().map(|row| {
            let at = born.get(&row.birth_key()).copied().unwrap_or(row.0.created_at);
            row.born_at(at)
        });
        Ok(Ok(rows.collect()))
    }

    /// What is known of a subject: what was said, and when its rows were born.
    async fn facts_of(
        &self,
        known: &Known,
        subject: &str,
    ) -> Result<(Vec<Fact>, BTreeMap<String, Instant>), StoreError> {
        let most = i64::try_from(KEPT_MAX).unwrap_or(i64::MAX);
        let kept = self.database.webhook_facts(known.scope(), subject, most).await?;
        let (mut facts, mut born) = (Vec::new(), BTreeMap::new());
        for KeptFact { key, said, customer } in kept {
            match (key.strip_prefix(BORN), said.parse()) {
                (Some(row), Ok(ms)) => {
                    born.insert(row.to_owned(), instant_from_ms(ms));
                }
                _ => facts.push(Fact { subject: subject.to_owned(), key, said, customer }),
            }
        }
        Ok((facts, born))
    }

    /// Keeps a proved notice that could not be taken, sealed, for somebody to look at.
    async fn set_aside(
        &self,
        known: &Known,
        event: &str,
        field: &str,
        code: &str,
        body: &[u8],
        now: Instant,
    ) -> Result<(), DeskError> {
        let id = random_id()?;
        let holds_card = code == FaultCode::CardNumber.as_str();
        let sealed = if holds_card { Vec::new() } else { RejectedNotice::seal(&self.seal, &id, body)? };
        let notice = RejectedNotice {
            received_at: now,
            event: event.to_owned(),
            field: field.to_owned(),
            code: code.to_owned(),
        };
        self.database.add_rejected_notice((&id, &known.endpoint.id), &notice, &sealed).await?;
        Ok(())
    }

    /// Counts what cannot be believed. Of it nothing is kept, unless only the clock speaks against it: then ours may be
    /// the wrong one.
    async fn refuse(
        &self,
        known: &Known,
        reason: Unverified,
        body: &[u8],
        network: IpAddr,
        now: Instant,
    ) -> Result<Delivered, DeskError> {
        self.metrics.webhook_refused(known.provider.as_str(), reason.as_str());
        let id = &known.endpoint.id;
        if let Some(limited) = self.limited(id, network) {
            return Ok(limited);
        }
        let hour = now.duration_trunc(TimeDelta::hours(1)).unwrap_or(now);
        self.database.note_webhook_refusal(id, hour, reason.as_str()).await?;
        if reason == Unverified::ClockOff {
            self.set_aside(known, "", "", reason.as_str(), body, now).await?;
        }
        tracing::warn!(
            endpoint = id,
            provider = known.provider.as_str(),
            reason = reason.as_str(),
            "a notice was not believed"
        );
        Ok(Delivered::Refused(reason))
    }

    /// Counts a refusal; what to answer when there were too many.
    fn limited(&self, endpoint: &str, network: IpAddr) -> Option<Delivered> {
        if self.refusals.len() > TABLE_MAX {
            self.refusals.retain_recent();
        }
        let hash = blake3::hash(endpoint.as_bytes());
        let mut key = [0; 16];
        key.copy_from_slice(&hash.as_bytes()[..16]);
        let is_over = self.refusals.check_key(&(key, network)).is_err();
        is_over.then_some(Delivered::Limited { retry_after_s: RETRY_AFTER_S })
    }

    /// Writes down the minute of the last use. What was taken is taken, whether or not this is written.
    async fn note_use(&self, known: &Known, keys: &[String], now: Instant) {
        let minute = now.duration_trunc(TimeDelta::minutes(1)).unwrap_or(now);
        let id = &known.endpoint.id;
        let is_new = {
            let mut noted = known.noted.lock().unwrap_or_else(PoisonError::into_inner);
            let mut is_new = false;
            for used in keys.iter().chain([id]) {
                is_new |= noted.insert(used.clone(), minute) != Some(minute);
            }
            is_new
        };
        if is_new && let Err(error) = self.database.touch_webhook_endpoint(id, keys, minute).await {
            tracing::warn!(endpoint = id, %error, "the last use of an endpoint was not written down");
        }
    }
}

fn kept(fact: &Fact) -> KeptFact {
    KeptFact { key: fact.key.clone(), said: fact.said.clone(), customer: fact.customer.clone() }
}

fn random_id() -> Result<String, DeskError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|_| DeskError::NoRandom)?;
    Ok(to_hex(&bytes))
}
