//! The books of reconciliation, what people decided about them, and closed periods.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use serde::de::DeserializeOwned;

use super::statement::statement;
use super::{Database, StoreError};
use crate::analytics::reconciliation::{
    AccountRules, AccountSum, Action, ActionKind, DayBooks, DaySum, SourceDays,
};
use crate::domain::{Instant, OrganisationId, RecordKey, StoreId, Stream, Word, instant_from_ms};

/// Of what the books of the rows of one UTC day were made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    pub stream: Stream,
    pub day: NaiveDate,
    pub fingerprint: String,
    pub source_days: SourceDays,
}

/// A period whose figures stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closing {
    pub id: i64,
    pub store: StoreId,
    pub first: NaiveDate,
    pub last: NaiveDate,
    /// The sums as they were.
    pub statement: Vec<AccountSum>,
    pub person: String,
    pub at: Instant,
}

/// What is written after a source day was worked on, in one transaction.
#[derive(Clone, Debug)]
pub struct DayCommit<'a> {
    pub organisation: OrganisationId,
    pub day: NaiveDate,
    /// The day, and earlier ones that it changed.
    pub books: Vec<&'a DayBooks>,
    /// The day that must be worked on next because of it.
    pub carries_to: Option<NaiveDate>,
    pub now: Instant,
}

#[derive(sqlx::FromRow)]
struct AccountRow {
    store_id: i64,
    rail: String,
    account: String,
    cycle_days: i64,
    working_days: i64,
    tolerance_minor: i64,
    tolerance_ppm: i64,
    reference: String,
    bank_account: String,
    bank_text: String,
    first_day: Option<String>,
}

fn wrong(table: &'static str, row: &str, what: &str) -> StoreError {
    StoreError::Inconsistent { table, row: row.to_owned(), what: what.to_owned() }
}

fn read_json<T: DeserializeOwned>(table: &'static str, row: &str, text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| wrong(table, row, &error.to_string()))
}

fn written(value: &impl serde::Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| wrong("reconciliation_day", "", &error.to_string()))
}

fn day_of(table: &'static str, text: &str) -> Result<NaiveDate, StoreError> {
    text.parse().map_err(|_| wrong(table, text, "no day"))
}

impl AccountRow {
    fn read(self) -> Result<AccountRules, StoreError> {
        let row = format!("{} {} {}", self.store_id, self.rail, self.account);
        let wrong = |what: &str| wrong("reconciliation_account", &row, what);
        let first_day = self.first_day.as_deref().map(str::parse).transpose();
        Ok(AccountRules {
            store: StoreId(self.store_id),
            rail: Word::of(&self.rail),
            account: Word::of(&self.account),
            cycle_days: u32::try_from(self.cycle_days).map_err(|_| wrong("cycle_days is out of range"))?,
            working_days: self.working_days != 0,
            tolerance_minor: self.tolerance_minor,
            tolerance_ppm: u32::try_from(self.tolerance_ppm)
                .map_err(|_| wrong("tolerance_ppm is out of range"))?,
            reference: self.reference,
            bank_account: self.bank_account,
            bank_text: self.bank_text,
            first_day: first_day.map_err(|_| wrong("first_day is no day"))?,
        })
    }
}

#[derive(sqlx::FromRow)]
struct ActionRow {
    id: i64,
    store_id: i64,
    kind: String,
    finding: String,
    other_finding: Option<String>,
    person: String,
    reason: String,
    created_at_ms: i64,
}

impl ActionRow {
    fn read(self) -> Result<Action, StoreError> {
        let wrong = |what: &str| wrong("reconciliation_action", &self.id.to_string(), what);
        let key = |text: &str| RecordKey::parse(text).ok_or_else(|| wrong("no finding's number"));
        Ok(Action {
            id: self.id,
            store: StoreId(self.store_id),
            kind: ActionKind::parse(&self.kind).ok_or_else(|| wrong("unknown kind"))?,
            finding: key(&self.finding)?,
            other: self.other_finding.as_deref().map(key).transpose()?,
            person: self.person,
            reason: self.reason,
            at: instant_from_ms(self.created_at_ms),
        })
    }
}

impl Database {
    /// What every merchant account agreed on.
    pub async fn reconciliation_accounts(&self) -> Result<Vec<AccountRules>, StoreError> {
        let rows: Vec<AccountRow> =
            statement(include_str!("sql/list_reconciliation_accounts.sql")).fetch_all(self.readers()).await?;
        rows.into_iter().map(AccountRow::read).collect()
    }

    /// Sets what an account agreed on.
    pub async fn replace_reconciliation_account(&self, rules: &AccountRules) -> Result<(), StoreError> {
        let mut write = self.begin_write().await?;
        statement(include_str!("sql/replace_reconciliation_account.sql"))
            .bind(rules.store.0)
            .bind(rules.rail.as_str())
            .bind(rules.account.as_str())
            .bind(rules.cycle_days)
            .bind(rules.working_days)
            .bind(rules.tolerance_minor)
            .bind(rules.tolerance_ppm)
            .bind(&rules.reference)
            .bind(&rules.bank_account)
            .bind(&rules.bank_text)
            .bind(rules.first_day.map(|day| day.to_string()))
            .execute(write.connection())
            .await?;
        write.commit().await
    }

    /// Of what rows the books were made.
    pub async fn reconciliation_partitions(&self) -> Result<Vec<Partition>, StoreError> {
        const TABLE: &str = "reconciliation_partition";
        let rows: Vec<(String, String, String, String)> =
            statement(include_str!("sql/list_reconciliation_partitions.sql"))
                .fetch_all(self.readers())
                .await?;
        let read = |(stream, day, fingerprint, source_days): (String, String, String, String)| {
            Ok(Partition {
                stream: Stream::parse(&stream).ok_or_else(|| wrong(TABLE, &stream, "unknown stream"))?,
                day: day_of(TABLE, &day)?,
                fingerprint,
                source_days: read_json::<Vec<(OrganisationId, NaiveDate, u64)>>(TABLE, &day, &source_days)?
                    .into_iter()
                    .map(|(organisation, day, sum)| ((organisation, day), sum))
                    .collect(),
            })
        };
        rows.into_iter().map(read).collect()
    }

    /// Notes that the rows of a UTC day are others now, and which source days must be worked on again for it.
    pub async fn note_reconciliation_partition(
        &self,
        partition: &Partition,
        due: &BTreeSet<(OrganisationId, NaiveDate)>,
    ) -> Result<(), StoreError> {
        let source_days: Vec<(OrganisationId, NaiveDate, u64)> = partition
            .source_days
            .iter()
            .map(|((organisation, day), sum)| (*organisation, *day, *sum))
            .collect();
        let mut write = self.begin_write().await?;
        for (organisation, day) in due {
            statement(include_str!("sql/insert_reconciliation_due.sql"))
                .bind(organisation.0)
                .bind(day.to_string())
                .execute(write.connection())
                .await?;
        }
        statement(include_str!("sql/replace_reconciliation_partition.sql"))
            .bind(partition.stream.as_str())
            .bind(partition.day.to_string())
            .bind(&partition.fingerprint)
            .bind(written(&source_days)?)
            .execute(write.connection())
            .await?;
        write.commit().await
    }

    /// Source days that must be worked on, by organisation, oldest first.
    pub async fn reconciliation_due(
        &self,
        limit: i64,
    ) -> Result<Vec<(OrganisationId, NaiveDate)>, StoreError> {
        let rows: Vec<(i64, String)> = statement(include_str!("sql/list_reconciliation_due.sql"))
            .bind(limit)
            .fetch_all(self.readers())
            .await?;
        let read = |(id, day): (i64, String)| Ok((OrganisationId(id), day_of("reconciliation_due", &day)?));
        rows.into_iter().map(read).collect()
    }

    /// How many source days of an organisation wait.
    pub async fn count_reconciliation_due(&self, organisation: OrganisationId) -> Result<i64, StoreError> {
        statement(include_str!("sql/count_reconciliation_due.sql"))
            .bind(organisation.0)
            .scalar_one(self.readers())
            .await
    }

    /// The books of source days, both ends included, oldest first.
    pub async fn reconciliation_days(
        &self,
        organisation: OrganisationId,
        (first, last): (NaiveDate, NaiveDate),
    ) -> Result<Vec<DayBooks>, StoreError> {
        const TABLE: &str = "reconciliation_day";
        let rows: Vec<(String, String, String)> = statement(include_str!("sql/list_reconciliation_days.sql"))
            .bind(organisation.0)
            .bind(first.to_string())
            .bind(last.to_string())
            .fetch_all(self.readers())
            .await?;
        let read = |(day, buckets, details): (String, String, String)| {
            let books: DayBooks = read_json(TABLE, &day, &details)?;
            Ok(DayBooks { buckets: read_json(TABLE, &day, &buckets)?, ..books })
        };
        rows.into_iter().map(read).collect()
    }

    /// Only the sums of source days: cheap enough for the foot of a report.
    pub async fn reconciliation_sums(
        &self,
        organisation: OrganisationId,
        (first, last): (NaiveDate, NaiveDate),
    ) -> Result<Vec<DaySum>, StoreError> {
        const TABLE: &str = "reconciliation_day";
        let rows: Vec<(String, String)> = statement(include_str!("sql/list_reconciliation_sums.sql"))
            .bind(organisation.0)
            .bind(first.to_string())
            .bind(last.to_string())
            .fetch_all(self.readers())
            .await?;
        let days: Vec<Vec<DaySum>> =
            rows.iter().map(|(day, sums)| read_json(TABLE, day, sums)).collect::<Result<_, StoreError>>()?;
        Ok(days.concat())
    }

    /// The first and last source day with books.
    pub async fn reconciliation_span(
        &self,
        organisation: OrganisationId,
    ) -> Result<Option<(NaiveDate, NaiveDate)>, StoreError> {
        let (first, last): (Option<String>, Option<String>) =
            statement(include_str!("sql/reconciliation_span.sql"))
                .bind(organisation.0)
                .fetch_one(self.readers())
                .await?;
        let day = |text: String| day_of("reconciliation_day", &text);
        Ok(first.map(day).transpose()?.zip(last.map(day).transpose()?))
    }

    /// Writes what working on a source day changed, and that it no longer waits.
    pub async fn commit_reconciliation(&self, commit: &DayCommit<'_>) -> Result<(), StoreError> {
        let organisation = commit.organisation.0;
        let mut write = self.begin_write().await?;
        for books in &commit.books {
            let details = DayBooks { buckets: Vec::new(), ..(*books).clone() };
            statement(include_str!("sql/replace_reconciliation_day.sql"))
                .bind(organisation)
                .bind(books.day.to_string())
                .bind(written(&books.sums())?)
                .bind(written(&books.buckets)?)
                .bind(written(&details)?)
                .bind(commit.now.timestamp_millis())
                .execute(write.connection())
                .await?;
        }
        statement(include_str!("sql/delete_reconciliation_due.sql"))
            .bind(organisation)
            .bind(commit.day.to_string())
            .execute(write.connection())
            .await?;
        if let Some(next) = commit.carries_to {
            statement(include_str!("sql/insert_reconciliation_due.sql"))
                .bind(organisation)
                .bind(next.to_string())
                .execute(write.connection())
                .await?;
        }
        write.commit().await
    }

    /// What people of an organisation decided, oldest first.
    pub async fn reconciliation_actions(
        &self,
        organisation: OrganisationId,
    ) -> Result<Vec<Action>, StoreError> {
        let rows: Vec<ActionRow> = statement(include_str!("sql/list_reconciliation_actions.sql"))
            .bind(organisation.0)
            .fetch_all(self.readers())
            .await?;
        rows.into_iter().map(ActionRow::read).collect()
    }

    /// Adds what somebody decided; its number is given here.
    pub async fn insert_reconciliation_action(&self, action: &Action) -> Result<i64, StoreError> {
        let mut write = self.begin_write().await?;
        let id = statement(include_str!("sql/insert_reconciliation_action.sql"))
            .bind(action.store.0)
            .bind(action.kind.as_str())
            .bind(action.finding.to_string())
            .bind(action.other.map(|other| other.to_string()))
            .bind(&action.person)
            .bind(&action.reason)
            .bind(action.at.timestamp_millis())
            .scalar_one(write.connection())
            .await?;
        write.commit().await?;
        Ok(id)
    }

    /// The closed periods of a store, the youngest first.
    pub async fn reconciliation_closings(&self, store: StoreId) -> Result<Vec<Closing>, StoreError> {
        const TABLE: &str = "reconciliation_closing";
        let rows: Vec<(i64, i64, String, String, String, String, i64)> =
            statement(include_str!("sql/list_reconciliation_closings.sql"))
                .bind(store.0)
                .fetch_all(self.readers())
                .await?;
        let read = |row: (i64, i64, String, String, String, String, i64)| {
            let (id, store, first, last, statement, person, at_ms) = row;
            Ok(Closing {
                id,
                store: StoreId(store),
                first: day_of(TABLE, &first)?,
                last: day_of(TABLE, &last)?,
                statement: read_json(TABLE, &id.to_string(), &statement)?,
                person,
                at: instant_from_ms(at_ms),
            })
        };
        rows.into_iter().map(read).collect()
    }

    /// Closes a period with the figures as they are; its number is given here.
    pub async fn insert_reconciliation_closing(&self, closing: &Closing) -> Result<i64, StoreError> {
        let mut write = self.begin_write().await?;
        let id = statement(include_str!("sql/insert_reconciliation_closing.sql"))
            .bind(closing.store.0)
            .bind(closing.first.to_string())
            .bind(closing.last.to_string())
            .bind(written(&closing.statement)?)
            .bind(&closing.person)
            .bind(closing.at.timestamp_millis())
            .scalar_one(write.connection())
            .await?;
        write.commit().await?;
        Ok(id)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{FIRST_SETUP, on_both_engines};
    use super::*;
    use crate::domain::Currency;

    on_both_engines!(
        rules_and_what_is_due_come_back_as_they_were_written,
        books_come_back_as_they_were_written,
        actions_and_closings_come_back_as_they_were_written,
    );

    async fn store_of(database: &Database) -> crate::domain::Store {
        let now = instant_from_ms(1_000);
        database.put_setup_token(b"t", instant_from_ms(2_000)).await.unwrap();
        database.complete_setup(&FIRST_SETUP, now).await.unwrap().1
    }

    fn day() -> NaiveDate {
        "2026-11-24".parse().unwrap()
    }

    async fn rules_and_what_is_due_come_back_as_they_were_written(database: Database) {
        let store = store_of(&database).await;
        let rules = AccountRules {
            tolerance_ppm: 10,
            first_day: Some(day()),
            ..AccountRules::usual(store.id, Word::of("wechat_pay"), Word::of("M1"))
        };
        database
            .replace_reconciliation_account(&AccountRules { cycle_days: 3, ..rules.clone() })
            .await
            .unwrap();
        database.replace_reconciliation_account(&rules).await.unwrap();
        assert_eq!(database.reconciliation_accounts().await.unwrap(), [rules]);

        let source_days = SourceDays::from([((store.organisation, day()), u64::MAX)]);
        let due = BTreeSet::from([(store.organisation, day())]);
        let fingerprint = "f".to_owned();
        let partition = Partition { stream: Stream::LedgerLines, day: day(), fingerprint, source_days };
        database.note_reconciliation_partition(&partition, &due).await.unwrap();
        database.note_reconciliation_partition(&partition, &due).await.unwrap();
        assert_eq!(database.reconciliation_due(9).await.unwrap(), [(store.organisation, day())]);
        assert_eq!(database.reconciliation_partitions().await.unwrap(), [partition]);
    }

    async fn books_come_back_as_they_were_written(database: Database) {
        let store = store_of(&database).await;
        let organisation = store.organisation;
        let buckets = vec![crate::analytics::reconciliation::Bucket::new(
            store.id,
            Word::of("wechat_pay"),
            Word::of("M1"),
            Currency::CNY,
        )];
        let books = DayBooks {
            day: day(),
            opened_with: "o".into(),
            buckets,
            findings: Vec::new(),
            payouts: Vec::new(),
            bank: Vec::new(),
            more: Vec::new(),
        };
        let next = day().succ_opt();
        let commit = DayCommit {
            organisation,
            day: day(),
            books: vec![&books],
            carries_to: next,
            now: instant_from_ms(1_000),
        };
        database.commit_reconciliation(&commit).await.unwrap();
        assert_eq!(database.reconciliation_due(9).await.unwrap(), [(organisation, next.unwrap())]);
        assert_eq!(database.count_reconciliation_due(organisation).await.unwrap(), 1);
        let sums = database.reconciliation_sums(organisation, (day(), day())).await.unwrap();
        assert_eq!(sums, books.sums());
        assert_eq!(database.reconciliation_days(organisation, (day(), day())).await.unwrap(), [books]);
        assert_eq!(database.reconciliation_span(organisation).await.unwrap(), Some((day(), day())));
    }

    async fn actions_and_closings_come_back_as_they_were_written(database: Database) {
        let store = store_of(&database).await;
        let now = instant_from_ms(1_000);
        let mut action = Action {
            id: 0,
            store: store.id,
            kind: ActionKind::Match,
            finding: RecordKey { high: 1, low: 2 },
            other: Some(RecordKey { high: 3, low: 4 }),
            person: "A".into(),
            reason: "一笔".into(),
            at: now,
        };
        action.id = database.insert_reconciliation_action(&action).await.unwrap();
        assert_eq!(database.reconciliation_actions(store.organisation).await.unwrap(), [action]);
        let mut closing = Closing {
            id: 0,
            store: store.id,
            first: day(),
            last: day(),
            statement: Vec::new(),
            person: "A".into(),
            at: now,
        };
        closing.id = database.insert_reconciliation_closing(&closing).await.unwrap();
        assert_eq!(database.reconciliation_closings(store.id).await.unwrap(), [closing]);
    }
}
