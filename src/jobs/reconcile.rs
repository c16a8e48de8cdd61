//! Keeps the books of reconciliation up: finds out which source days have other rows than their books were made of, and
//! works on those, oldest first. What is due stands in the database, so that a restart goes on where it was.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use chrono::{Days, NaiveDate, NaiveTime, TimeDelta};

use crate::analytics::Snapshot;
use crate::analytics::reconciliation::{
    Class, DayBooks, Reworked, Rules, SourceDays, apply, days_around, read_day, rework_day, source_days,
    summarise,
};
use crate::domain::{Instant, OrganisationId, Range, Store, StoreId, Stream};
use crate::lake::{FileSet, Lake, LakeFile};
use crate::store::{DayCommit, Partition};

use super::runner::{Job, JobContext, JobReport};

const INTERVAL: Duration = Duration::from_mins(1);
/// UTC days whose files are looked into in one run.
const PARTITIONS_PER_RUN_MAX: usize = 32;
/// Source days worked on in one run.
const DAYS_PER_RUN_MAX: u64 = 16;
/// Days that are looked at for it: some may have to wait for a file to be repaired.
const DUE_LISTED_MAX: i64 = 512;
/// Days that the metrics count findings of.
const COUNTED_DAYS: u64 = 31;

/// The job.
pub struct Reconcile {
    lake: Lake,
}

/// What a run works with, all of one moment.
struct Round {
    snapshot: Arc<Snapshot>,
    stores: BTreeMap<StoreId, Store>,
    rules: BTreeMap<OrganisationId, Rules>,
    /// Of everything but rows that decides what matches what.
    rules_hash: String,
    now: Instant,
}

impl Reconcile {
    /// Reconciling what lies in this lake.
    pub const fn new(lake: Lake) -> Self {
        Self { lake }
    }

    /// Notes the partitions that changed, with the source days that are due for it. True when there may be more.
    async fn note_changes(&self, context: &JobContext, round: &Arc<Round>) -> anyhow::Result<bool> {
        let known =
            context.database.reconciliation_partitions().await.context("reading what was reconciled")?;
        let mut known: BTreeMap<(Stream, NaiveDate), Partition> =
            known.into_iter().map(|one| ((one.stream, one.day), one)).collect();
        let mut changed = Vec::new();
        for ((stream, day), files) in &round.snapshot.files {
            let broken = round.snapshot.quarantined.contains_key(&(*stream, *day));
            let old = known.remove(&(*stream, *day));
            if *stream == Stream::CheckoutEvents || broken {
                continue;
            }
            let fingerprint = round.fingerprint(files);
            if old.as_ref().is_none_or(|old| old.fingerprint != fingerprint) {
                let before = old.map(|old| old.source_days).unwrap_or_default();
                changed.push((*stream, *day, files.clone(), fingerprint, before));
            }
        }
        // Days whose rows are gone altogether: by retention, or withdrawn.
        let gone = known.into_values().filter(|one| {
            !one.source_days.is_empty() && !round.snapshot.quarantined.contains_key(&(one.stream, one.day))
        });
        changed.extend(gone.map(|one| (one.stream, one.day, Vec::new(), String::new(), one.source_days)));
        let more = changed.len() > PARTITIONS_PER_RUN_MAX;
        for (stream, day, files, fingerprint, before) in changed.into_iter().take(PARTITIONS_PER_RUN_MAX) {
            let (lake, work) = (self.lake.clone(), Arc::clone(round));
            let source_days = tokio::task::spawn_blocking(move || work.source_days(&lake, stream, &files))
                .await
                .context("the thread that looks for changed days died")??;
            let days = source_days.keys().chain(before.keys());
            let due = days.filter(|day| source_days.get(day) != before.get(day)).copied().collect();
            let partition = Partition { stream, day, fingerprint, source_days };
            context
                .database
                .note_reconciliation_partition(&partition, &due)
                .await
                .context("noting changed days")?;
        }
        Ok(more)
    }

    /// Works on one source day and writes its books.
    async fn work_on(
        &self,
        context: &JobContext,
        round: &Arc<Round>,
        (organisation, day): (OrganisationId, NaiveDate),
    ) -> anyhow::Result<()> {
        let around = days_around(day);
        let kept =
            context.database.reconciliation_days(organisation, around).await.context("reading books")?;
        let (lake, work) = (self.lake.clone(), Arc::clone(round));
        let (books, reworked) =
            tokio::task::spawn_blocking(move || work.rework(&lake, kept, (organisation, day)))
                .await
                .context("the thread that reconciles died")??;
        let commit = DayCommit {
            organisation,
            day,
            books: reworked.changed.iter().filter_map(|day| books.get(day)).collect(),
            carries_to: reworked.carries_to,
            now: round.now,
        };
        context.database.commit_reconciliation(&commit).await.context("writing books")
    }

    async fn measure(&self, context: &JobContext, round: &Round) -> anyhow::Result<()> {
        let first = round.last_day().checked_sub_days(Days::new(COUNTED_DAYS)).unwrap_or_default();
        let mut counts: BTreeMap<Class, u64> = Class::ALL.into_iter().map(|class| (class, 0)).collect();
        for (organisation, rules) in &round.rules {
            let mut books =
                context.database.reconciliation_days(*organisation, (first, round.last_day())).await?;
            apply(&mut books, &context.database.reconciliation_actions(*organisation).await?);
            let stores: Vec<StoreId> = rules.stores.iter().map(|store| store.id).collect();
            for sum in summarise(&books, &stores, round.now) {
                for (class, sums) in sum.classes {
                    *counts.entry(class).or_default() += sums.count;
                }
            }
        }
        let counts =
            counts.iter().map(|(class, count)| (class.as_str(), u32::try_from(*count).unwrap_or(u32::MAX)));
        context.metrics.set_reconciliation_findings(counts);
        Ok(())
    }
}

impl Job for Reconcile {
    const NAME: &'static str = "reconcile";

    fn interval(&self) -> Duration {
        INTERVAL
    }

    async fn run(&self, context: &JobContext) -> anyhow::Result<JobReport> {
        let round = Arc::new(Round::begin(context).await?);
        let more_changes = self.note_changes(context, &round).await?;
        let due = context.database.reconciliation_due(DUE_LISTED_MAX).await.context("asking what is due")?;
        context.metrics.set_reconciliation_due(due.len());
        let mut done = 0;
        for one in &due {
            // Rows that cannot be read now would look like rows that were never there.
            if done == DAYS_PER_RUN_MAX {
                break;
            }
            if !round.snapshot.partial_days(around(one.1)).is_empty() {
                continue;
            }
            self.work_on(context, &round, *one).await?;
            done += 1;
        }
        if done > 0 {
            self.measure(context, &round).await.context("counting findings")?;
        }
        Ok(JobReport { done, more: done == DAYS_PER_RUN_MAX || more_changes })
    }
}

impl Round {
    async fn begin(context: &JobContext) -> anyhow::Result<Self> {
        let stores = context.database.stores().await.context("reading stores")?;
        let accounts = context.database.reconciliation_accounts().await.context("reading accounts")?;
        let contracts = context.database.contract_rates().await.context("reading contracts")?;
        let snapshot = context.snapshots.current();
        // Without any bill there is nothing to compare with, and nothing to pay for.
        let billed: BTreeSet<StoreId> = snapshot
            .freshness
            .keys()
            .filter(|(_, stream, _)| *stream == Stream::LedgerLines)
            .map(|(store, _, _)| *store)
            .collect();
        let with_bills: BTreeSet<OrganisationId> = stores
            .iter()
            .filter(|store| billed.contains(&store.id))
            .map(|store| store.organisation)
            .collect();
        let stores: BTreeMap<StoreId, Store> = stores
            .into_iter()
            .filter(|store| with_bills.contains(&store.organisation))
            .map(|store| (store.id, store))
            .collect();
        let mut rules: BTreeMap<OrganisationId, Rules> = BTreeMap::new();
        for store in stores.values() {
            let own = rules.entry(store.organisation).or_default();
            own.accounts.extend(accounts.iter().filter(|rules| rules.store == store.id).cloned());
            own.contracts
                .extend(contracts.iter().map(|entry| entry.rate).filter(|rate| rate.store == store.id));
            own.stores.push(store.clone());
        }
        let decisive: Vec<String> = rules
            .values()
            .map(|own| {
                let days: Vec<_> =
                    own.stores.iter().map(|store| (store.id, store.zone, store.cut_off)).collect();
                format!("{:?} {:?} {days:?}", own.accounts, own.contracts)
            })
            .collect();
        let rules_hash = blake3::hash(decisive.join("\n").as_bytes()).to_hex().to_string();
        Ok(Self { snapshot, stores, rules, rules_hash, now: context.clock.now() })
    }

    /// Of the rows that are live in these files, and of the rules.
    fn fingerprint(&self, files: &[Arc<LakeFile>]) -> String {
        let mut live: Vec<(&str, usize)> = files
            .iter()
            .filter(|file| file.file_set == FileSet::Current)
            .map(|file| (file.id.as_str(), file.superseded.len()))
            .collect();
        live.sort_unstable();
        blake3::hash(format!("{} {live:?}", self.rules_hash).as_bytes()).to_hex().to_string()
    }

    fn source_days(
        &self,
        lake: &Lake,
        stream: Stream,
        files: &[Arc<LakeFile>],
    ) -> anyhow::Result<SourceDays> {
        let days = source_days(lake, stream, files, &self.stores).context("looking for changed days")?;
        let last = self.last_day();
        // With other rules the same rows come to other books.
        let rules = u64::from_str_radix(self.rules_hash.get(..16).unwrap_or_default(), 16)?;
        let within = days.into_iter().filter(|((_, day), _)| *day <= last);
        Ok(within.map(|(day, sum)| (day, sum ^ rules)).collect())
    }

    /// The last source day that can have rows, anywhere.
    fn last_day(&self) -> NaiveDate {
        (self.now + TimeDelta::hours(24 + 14)).date_naive()
    }

    fn rework(
        &self,
        lake: &Lake,
        kept: Vec<DayBooks>,
        (organisation, day): (OrganisationId, NaiveDate),
    ) -> anyhow::Result<(BTreeMap<NaiveDate, DayBooks>, Reworked)> {
        let mut books: BTreeMap<NaiveDate, DayBooks> = kept.into_iter().map(|own| (own.day, own)).collect();
        let none = Rules::default();
        let rules = self.rules.get(&organisation).unwrap_or(&none);
        let rows = read_day(lake, &self.snapshot, &rules.stores, day).context("reading a source day")?;
        let reworked = rework_day(&mut books, day, rows, rules)?;
        Ok((books, reworked))
    }
}

/// The UTC days that the rows of a source day may lie in.
fn around(day: NaiveDate) -> Range {
    let start = day.and_time(NaiveTime::MIN).and_utc();
    Range { from: start - TimeDelta::days(3), until: start + TimeDelta::days(2) }
}
