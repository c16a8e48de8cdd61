//! Fetches the bills of merchant accounts that are switched on, each day once, by the same import as an upload.

mod plan;

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use chrono::{Days, NaiveDate, TimeDelta};

use crate::analytics::{Detail, Feed, Level, MoneyKind, Snapshot, Wanted};
use crate::domain::{BillKind, BillProvider, Instant, StoreId};
use crate::intake::fetching::{
    Advice, Answer, BillClient, Credentials, Fault, Gateways, PlatformKeys, SigningKey, VerifyingKey, Wish,
    alipay, fetch, wechat_pay,
};
use crate::intake::import::{Begun, ImportRequest, import_file};
use crate::intake::{FileHints, Intake, Pseudonyms};
use crate::store::{BillFetch, BillSource, FetchState, ImportState, KeptKeyError, Seal, StoreError, Told};
use crate::telemetry::{BillResult, Metrics};

use super::fresh_blocks;
use super::runner::{Job, JobContext, JobReport};
use plan::{Came, PAUSE_MAX, outcome};

pub use plan::{newest_day, oldest_day};

/// Bills of one run: a long absence is made up for in steps, the newest days first.
const STEP_MAX: i64 = 20;
/// How long a bill is kept from other servers while it is fetched; after a crash another one fetches it then.
const CLAIM: TimeDelta = TimeDelta::minutes(45);
/// Folder of the data folder in which bills stand while they are read.
const FOLDER: &str = "fetched";
/// A file that is older was left there by a process that died.
const LEFT_BEHIND_AFTER: TimeDelta = TimeDelta::days(1);

/// The job.
pub struct FetchBills {
    client: BillClient,
    intake: Arc<Intake>,
    pseudonyms: Arc<Pseudonyms>,
    seal: Seal,
    folder: PathBuf,
}

impl FetchBills {
    /// Fetching from these gateways into that data folder. Calls nobody by itself.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(
        gateways: Gateways,
        intake: Arc<Intake>,
        pseudonyms: Arc<Pseudonyms>,
        seal: Seal,
        data_dir: &std::path::Path,
    ) -> anyhow::Result<Self> {
        let client = BillClient::new(gateways).context("setting up the client of providers")?;
        Ok(Self { client, intake, pseudonyms, seal, folder: data_dir.join(FOLDER) })
    }

    /// The same with a client of other limits.
    #[must_use]
    pub fn with_client(mut self, client: BillClient) -> Self {
        self.client = client;
        self
    }

    /// Fetches the bills of one day now, whether the source is switched on or not: somebody pressed a button.
    ///
    /// # Errors
    /// What disk and database say; a provider's refusal stands in the list, like that of any other try.
    pub async fn fetch_day(
        &self,
        context: &JobContext,
        source: &BillSource,
        day: NaiveDate,
    ) -> anyhow::Result<()> {
        let now = context.clock.now();
        let wished: Vec<_> = source.kinds.iter().map(|kind| (*kind, day)).collect();
        context.database.add_bill_fetches(source.id, &wished, now).await.context("listing the bills")?;
        let listed = context.database.bill_fetches(source.id, day).await.context("reading the list")?;
        let mut fault = None;
        for one in listed.iter().filter(|one| one.day == day && source.kinds.contains(&one.kind)) {
            context.database.ask_bill_fetch(one, now).await.context("asking for a bill again")?;
            let asked = BillFetch { state: FetchState::Waiting, next_try_at: now, ..one.clone() };
            self.fetch_one(context, source, &asked, &mut fault).await?;
        }
        Ok(())
    }

    /// Puts on the list what is missing there.
    async fn plan(&self, context: &JobContext, source: &BillSource) -> anyhow::Result<()> {
        let now = context.clock.now();
        let newest = newest_day(now);
        let listed = context.database.bill_fetches(source.id, source.first_day).await;
        let listed = listed.context("reading the list")?;
        if listed.iter().any(|one| one.day > newest && one.state != FetchState::Fetched) {
            context.database.forget_bill_fetches_after(source.id, newest).await.context("days to come")?;
        }
        let known: BTreeSet<(BillKind, NaiveDate)> = listed.iter().map(|one| (one.kind, one.day)).collect();
        let wished: Vec<_> = plan::days(source.provider, source.first_day, now)
            .flat_map(|day| source.kinds.iter().map(move |kind| (*kind, day)))
            .filter(|wished| !known.contains(wished))
            .collect();
        if !wished.is_empty() {
            context.database.add_bill_fetches(source.id, &wished, now).await.context("listing the bills")?;
        }
        Ok(())
    }

    /// Asks for one bill. `fault` is one of this run that is about the way to the provider, not about a day: it is not met
    /// again for each day. False when somebody else has the bill.
    async fn fetch_one(
        &self,
        context: &JobContext,
        source: &BillSource,
        fetch: &BillFetch,
        fault: &mut Option<Fault>,
    ) -> anyhow::Result<bool> {
        let until = context.clock.now() + CLAIM;
        let claimed = context.database.claim_bill_fetch(fetch, until).await.context("claiming a bill")?;
        let Some(claimed) = claimed else { return Ok(false) };
        let came = match &*fault {
            Some(fault) => Came::Fault(fault.clone()),
            None => self.ask(context, source, &claimed).await,
        };
        if let Came::Fault(met) = &came {
            tracing::warn!(source = source.id, kind = claimed.kind.as_str(), day = %claimed.day, error = %met, "a bill did not come");
            if is_about_the_way(met) {
                *fault = Some(met.clone());
            }
        }
        let now = context.clock.now();
        let mut outcome = outcome(&claimed, source.provider, came, now);
        if matches!(outcome.state, FetchState::NoActivity | FetchState::NoBill) {
            outcome.payments_known =
                Some(payments_known(context, source.store, source.provider, claimed.day).await?);
        }
        context.metrics.bill_asked_for(source.provider, result_of(outcome.state), now);
        context.database.settle_bill_fetch(&claimed, &outcome, now).await.context("noting a try")
    }

    /// Asks the provider, and takes in what comes.
    async fn ask(&self, context: &JobContext, source: &BillSource, bill: &BillFetch) -> Came {
        let credentials = match self.credentials(context, source).await {
            Ok(credentials) => credentials,
            Err(KeptKeyError::Store(error)) => return Came::Ours(error.to_string()),
            Err(error) => {
                tracing::warn!(source = source.id, %error, "the key of a source cannot be used");
                return Came::Fault(Fault::Key);
            }
        };
        if let Err(error) = tokio::fs::create_dir_all(&self.folder).await {
            return Came::Ours(error.kind().to_string());
        }
        let wish = Wish { kind: bill.kind, day: bill.day };
        match fetch(&self.client, &credentials, wish, context.clock.as_ref(), &self.folder).await {
            Ok(Answer::Bill(file)) => self.take_in(context, source, wish, file).await,
            Ok(Answer::NotReady) => Came::NotReady,
            Ok(Answer::NoActivity) => Came::NoActivity,
            Ok(Answer::NotThere) => Came::NotThere,
            Err(fault) => Came::Fault(fault),
        }
    }

    async fn credentials(
        &self,
        context: &JobContext,
        source: &BillSource,
    ) -> Result<Credentials, KeptKeyError> {
        let opened = context.database.bill_source_key(&self.seal, source).await?;
        // What was sealed was read before; that it cannot be read any more is another way of not opening.
        let unreadable = |_| KeptKeyError::Seal(crate::store::SealError::NotOpened);
        let key = SigningKey::read(opened.reveal_text().unwrap_or_default()).map_err(unreadable)?;
        let public = &source.public;
        let id = source.account.clone();
        Ok(match source.provider {
            BillProvider::WechatPay => Credentials::WechatPay(wechat_pay::Merchant {
                id,
                serial: public.certificate_serial.clone(),
                key,
                platform: PlatformKeys::read(&public.platform_keys, &public.platform_id)
                    .map_err(unreadable)?,
            }),
            BillProvider::Alipay => Credentials::Alipay(alipay::App {
                id,
                key,
                platform: VerifyingKey::read(&public.platform_keys).map_err(unreadable)?,
            }),
        })
    }

    /// The same import as an upload's: recognised, held against its totals, its rows known by the same identity.
    async fn take_in(
        &self,
        context: &JobContext,
        source: &BillSource,
        wish: Wish,
        file: tempfile::TempPath,
    ) -> Came {
        // WeChat Pay's fund-flow bill does not say whose it is; Alipay's bills name the account, which is not the app.
        let (ending, account) = match source.provider {
            BillProvider::WechatPay => ("csv", Some(source.account.clone())),
            BillProvider::Alipay => ("zip", None),
        };
        let name = [source.provider.as_str(), &source.account, wish.kind.as_str()].join("_");
        let request = ImportRequest {
            store: source.store,
            path: file.to_path_buf(),
            file_name: format!("{name}_{}.{ending}", wish.day),
            mapping: None,
            hints: FileHints { account, zone: None },
            scratch: self.folder.clone(),
            now: context.clock.now(),
        };
        let pseudonyms = Arc::clone(&self.pseudonyms);
        let taken = import_file(&self.intake, &context.database, pseudonyms, request, |_| ()).await;
        match taken {
            Ok((_, Some(record))) => match record.state {
                ImportState::Done => Came::Bill(record.id),
                ImportState::Refused => Came::NotTaken(
                    record.id,
                    Told {
                        code: record.findings.code,
                        sentence_en: record.findings.sentence_en,
                        sentence_zh: record.findings.sentence_zh,
                    },
                ),
                ImportState::Running | ImportState::Failed => Came::Ours("the import broke off".to_owned()),
            },
            Ok((Begun::Already(id), None)) => Came::Bill(id),
            Ok((Begun::Running(_) | Begun::Started(_), None)) => {
                Came::Ours("the same file is being read at this moment".to_owned())
            }
            Err(error) => Came::Ours(error.to_string()),
        }
    }

    /// Removes what processes that died left in the folder.
    fn sweep(&self, now: Instant) {
        for entry in std::fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let age = entry.metadata().and_then(|about| about.modified()).map(|at| now - Instant::from(at));
            if age.is_ok_and(|age| age > LEFT_BEHIND_AFTER)
                && let Err(error) = std::fs::remove_file(entry.path())
            {
                tracing::warn!(%error, "a bill left behind could not be removed");
            }
        }
    }
}

impl Job for FetchBills {
    const NAME: &'static str = "fetch_bills";

    fn interval(&self) -> Duration {
        Duration::from_mins(1)
    }

    async fn run(&self, context: &JobContext) -> anyhow::Result<JobReport> {
        let now = context.clock.now();
        self.sweep(now);
        let sources = context.database.bill_sources().await.context("reading the sources")?;
        let on: HashMap<i64, BillSource> = sources
            .into_iter()
            .filter(|source| source.is_on && source.has_key)
            .map(|source| (source.id, source))
            .collect();
        for source in on.values() {
            self.plan(context, source).await?;
        }
        let due = context.database.due_bill_fetches(now, now + PAUSE_MAX, STEP_MAX).await;
        let mut done = 0;
        let mut faults: HashMap<i64, Option<Fault>> = HashMap::new();
        for one in due.context("asking what is due")? {
            let Some(source) = on.get(&one.source) else { continue };
            if self.fetch_one(context, source, &one, faults.entry(one.source).or_default()).await? {
                done += 1;
            }
        }
        let last = context.database.last_bill_fetches().await.context("reading the last successes")?;
        remember(&context.metrics, &last);
        Ok(JobReport { done, more: false })
    }
}

/// After a restart the last success is still the last.
fn remember(metrics: &Metrics, last: &[(BillProvider, Instant)]) {
    for (provider, at) in last {
        metrics.bill_last_fetched(*provider, *at);
    }
}

/// True for a fault that every other bill of the same account would meet, too.
const fn is_about_the_way(fault: &Fault) -> bool {
    matches!(
        fault,
        Fault::NoAnswer(_)
            | Fault::TooSlow
            | Fault::Key
            | Fault::KeyUnknown(_)
            | Fault::ClockDiffers(_)
            | Fault::Told { advice: Advice::CheckKey, .. }
    )
}

const fn result_of(state: FetchState) -> BillResult {
    match state {
        FetchState::Fetched => BillResult::Fetched,
        FetchState::NoActivity => BillResult::NoActivity,
        FetchState::NoBill => BillResult::NoBill,
        FetchState::Waiting => BillResult::Waiting,
        FetchState::Failed => BillResult::Failed,
    }
}

/// Payments of a provider's day in a store that the shop's own records tell of, whichever account they came through.
async fn payments_known(
    context: &JobContext,
    store: StoreId,
    provider: BillProvider,
    day: NaiveDate,
) -> anyhow::Result<i64> {
    // A day in Beijing lies on two days of UTC.
    let first = day.checked_sub_days(Days::new(1)).unwrap_or(day);
    let plan = |_: &Snapshot| {
        let wanted = Wanted { level: Level::Hours, owner: store.into(), first, last: day };
        Ok::<_, StoreError>(((), vec![wanted]))
    };
    let read = fresh_blocks(&context.database, &context.snapshots, plan).await;
    let (_, (), blocks) = read.context("looking for the day's payments")?;
    let begins = plan::begins(day);
    let ends = begins + TimeDelta::days(1);
    let mut count = 0;
    for (utc_day, block) in blocks.days(Level::Hours, store.into(), first, day) {
        block.money(Detail::Coarse, |_, key, sums| {
            let is_payment = key.feed == Feed::Live && key.kind == MoneyKind::Payment;
            let at = key.slot.starts_at(utc_day);
            if is_payment && key.provider.as_str() == provider.as_str() && (begins..ends).contains(&at) {
                count += sums.count;
            }
        });
    }
    Ok(count)
}
