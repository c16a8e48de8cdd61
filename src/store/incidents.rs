//! Alert episodes and their steps.

use crate::alerts::{
    Acknowledgement, AlertKind, AlertState, Change, Episode, Evidence, Loss, Scope, Severity, Step,
};
use crate::domain::{Currency, Instant, StoreId, Word, instant_from_ms};

use super::statement::statement;
use super::{Database, Outgoing, StoreError, WriteTransaction};

/// Episodes one question answers with at most; the open ones come first only by their youth.
const EPISODES_MAX: i64 = 1_000;

/// One entry of an episode's timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    pub at: Instant,
    /// `pending`, `firing`, `worse`, `resolved`, `acknowledged`.
    pub step: String,
    /// Who; empty: the program.
    pub actor: String,
    pub note: String,
}

/// Writes the messages of one change; called inside the transaction, when the episode has its number.
pub type Compose<'a> = &'a (dyn Fn(&Change) -> Vec<Outgoing> + Sync);

impl Database {
    /// Open episodes and those resolved since then, youngest onset first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn episodes_since(&self, since: Instant) -> Result<Vec<Episode>, StoreError> {
        let rows: Vec<EpisodeRow> = statement(include_str!("sql/list_episodes.sql"))
            .bind(since.timestamp_millis())
            .bind(EPISODES_MAX)
            .fetch_all(self.readers())
            .await?;
        rows.into_iter().map(EpisodeRow::read).collect()
    }

    /// One episode.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn episode(&self, id: i64) -> Result<Option<Episode>, StoreError> {
        let row: Option<EpisodeRow> =
            statement(include_str!("sql/get_episode.sql")).bind(id).fetch_optional(self.readers()).await?;
        row.map(EpisodeRow::read).transpose()
    }

    /// The timeline of an episode, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn transitions(&self, episode: i64) -> Result<Vec<Transition>, StoreError> {
        let rows: Vec<(i64, String, String, String)> = statement(include_str!("sql/list_transitions.sql"))
            .bind(episode)
            .fetch_all(self.readers())
            .await?;
        let read = |(at_ms, step, actor, note)| Transition { at: instant_from_ms(at_ms), step, actor, note };
        Ok(rows.into_iter().map(read).collect())
    }

    /// Writes one evaluation: what changed with its messages, and how the `standing` episodes now look, in one
    /// transaction. A message is there exactly when its change is.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing of it has happened.
    pub async fn commit_evaluation(
        &self,
        changes: &[Change],
        standing: &[Episode],
        now: Instant,
        compose: Compose<'_>,
    ) -> Result<(), StoreError> {
        if changes.is_empty() && standing.is_empty() {
            return Ok(());
        }
        let mut write = self.begin_write().await?;
        let mut numbers: Vec<(Scope, i64)> = Vec::new();
        for change in changes {
            let mut change = change.clone();
            // The first change of a new episode gives it its number; later ones of the same round use it.
            if change.episode.id == 0
                && let Some((_, id)) = numbers.iter().find(|(scope, _)| *scope == change.episode.scope)
                && change.step != Step::Pending
            {
                change.episode.id = *id;
            }
            let is_new = change.episode.id == 0;
            change.episode.id = write.store_episode(&change.episode).await?;
            if is_new {
                numbers.retain(|(scope, _)| *scope != change.episode.scope);
                numbers.push((change.episode.scope.clone(), change.episode.id));
            }
            if change.step == Step::Dropped {
                statement(include_str!("sql/delete_episode.sql"))
                    .bind(change.episode.id)
                    .execute(write.connection())
                    .await?;
                continue;
            }
            let at = match change.step {
                Step::Pending => change.episode.pending_at,
                Step::Firing => change.episode.fired_at.unwrap_or(now),
                Step::Resolved => change.episode.resolved_at.unwrap_or(now),
                Step::Worse | Step::Dropped => change.episode.evaluated_at,
            };
            write.insert_transition(change.episode.id, at, change.step.as_str(), "", "").await?;
            for message in compose(&change) {
                let once = format!("{}:{}:{}", change.episode.id, change.step.as_str(), message.channel);
                write.insert_notification(&message, &once, now).await?;
            }
        }
        for episode in standing {
            let known = numbers.iter().find(|(scope, _)| *scope == episode.scope).map(|(_, id)| *id);
            let id = if episode.id == 0 { known.unwrap_or(0) } else { episode.id };
            if id != 0 {
                write.store_episode(&Episode { id, ..episode.clone() }).await?;
            }
        }
        write.commit().await
    }

    /// Notes that somebody has taken a firing alert on. False: it is not firing (any more).
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn acknowledge_episode(&self, id: i64, ack: &Acknowledgement) -> Result<bool, StoreError> {
        let mut write = self.begin_write().await?;
        let changed = statement(include_str!("sql/acknowledge_episode.sql"))
            .bind(id)
            .bind(&ack.by)
            .bind(&ack.reason)
            .bind(ack.at.timestamp_millis())
            .bind(ack.until.map(|until| until.timestamp_millis()))
            .execute(write.connection())
            .await?;
        if changed == 0 {
            return Ok(false);
        }
        write.insert_transition(id, ack.at, "acknowledged", &ack.by, &ack.reason).await?;
        write.commit().await?;
        Ok(true)
    }

    /// How many alerts are firing that nobody has taken on, by store (`None`: the installation's).
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn firing_counts(&self, now: Instant) -> Result<Vec<(Option<StoreId>, usize)>, StoreError> {
        let rows: Vec<(i64, i64)> = statement(include_str!("sql/count_firing_episodes.sql"))
            .bind(now.timestamp_millis())
            .fetch_all(self.readers())
            .await?;
        let read = |(store, count): (i64, i64)| {
            ((store != 0).then_some(StoreId(store)), usize::try_from(count).unwrap_or(0))
        };
        Ok(rows.into_iter().map(read).collect())
    }

    /// Which feed is counted for each account, by store.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn sources_of_record(&self) -> Result<Vec<(StoreId, Word, String)>, StoreError> {
        let rows: Vec<(i64, String, String)> =
            statement(include_str!("sql/list_sources_of_record.sql")).fetch_all(self.readers()).await?;
        let read =
            |(store, account, source): (i64, String, String)| (StoreId(store), Word::of(&account), source);
        Ok(rows.into_iter().map(read).collect())
    }

    /// Deletes episodes resolved before then, with their timelines.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn expire_episodes(&self, before: Instant) -> Result<u64, StoreError> {
        let mut write = self.begin_write().await?;
        let deleted = statement(include_str!("sql/expire_episodes.sql"))
            .bind(before.timestamp_millis())
            .execute(write.connection())
            .await?;
        write.commit().await?;
        Ok(deleted)
    }
}

impl WriteTransaction {
    /// Inserts or updates an episode; returns its number. An update leaves the acknowledgement alone.
    async fn store_episode(&mut self, episode: &Episode) -> Result<i64, StoreError> {
        let ms = |at: Option<Instant>| at.map(|at| at.timestamp_millis());
        let evidence =
            serde_json::to_string(&episode.evidence).map_err(|error| inconsistent(episode.id, &error))?;
        let lost_minor = episode.loss.and_then(|loss| i64::try_from(loss.minor).ok());
        let currency = episode.loss.map_or("", |loss| loss.currency.code());
        if episode.id != 0 {
            statement(include_str!("sql/update_episode.sql"))
                .bind(episode.id)
                .bind(episode.state.as_str())
                .bind(episode.severity.as_str())
                .bind(episode.onset_at.timestamp_millis())
                .bind(ms(episode.fired_at))
                .bind(ms(episode.resolved_at))
                .bind(episode.evaluated_at.timestamp_millis())
                .bind(episode.rounds)
                .bind(ms(episode.calm_since))
                .bind(i64::from(episode.frozen))
                .bind(i64::from(episode.found_late))
                .bind(lost_minor)
                .bind(currency)
                .bind(evidence)
                .execute(self.connection())
                .await?;
            return Ok(episode.id);
        }
        let id = statement(include_str!("sql/insert_episode.sql"))
            .bind(episode.scope.kind.as_str())
            .bind(episode.scope.store.map_or(0, |store| store.0))
            .bind(episode.scope.provider.as_str())
            .bind(&episode.scope.subject)
            .bind(episode.state.as_str())
            .bind(episode.severity.as_str())
            .bind(episode.onset_at.timestamp_millis())
            .bind(episode.pending_at.timestamp_millis())
            .bind(ms(episode.fired_at))
            .bind(ms(episode.resolved_at))
            .bind(episode.evaluated_at.timestamp_millis())
            .bind(episode.rounds)
            .bind(ms(episode.calm_since))
            .bind(i64::from(episode.frozen))
            .bind(i64::from(episode.found_late))
            .bind(lost_minor)
            .bind(currency)
            .bind(evidence)
            .scalar_one(self.connection())
            .await?;
        Ok(id)
    }

    async fn insert_transition(
        &mut self,
        episode: i64,
        at: Instant,
        step: &str,
        actor: &str,
        note: &str,
    ) -> Result<(), StoreError> {
        statement(include_str!("sql/insert_transition.sql"))
            .bind(episode)
            .bind(at.timestamp_millis())
            .bind(step)
            .bind(actor)
            .bind(note)
            .execute(self.connection())
            .await?;
        Ok(())
    }
}

fn inconsistent(id: i64, what: &dyn std::fmt::Display) -> StoreError {
    StoreError::Inconsistent { table: "alert_episode", row: id.to_string(), what: what.to_string() }
}

#[derive(sqlx::FromRow)]
struct EpisodeRow {
    id: i64,
    kind: String,
    store_id: i64,
    provider: String,
    subject: String,
    state: String,
    severity: String,
    onset_at_ms: i64,
    pending_at_ms: i64,
    fired_at_ms: Option<i64>,
    resolved_at_ms: Option<i64>,
    evaluated_at_ms: i64,
    rounds: i64,
    calm_since_ms: Option<i64>,
    frozen: i64,
    found_late: i64,
    lost_minor: Option<i64>,
    lost_currency: String,
    evidence: String,
    ack_by: String,
    ack_reason: String,
    ack_at_ms: Option<i64>,
    ack_until_ms: Option<i64>,
}

impl EpisodeRow {
    fn read(self) -> Result<Episode, StoreError> {
        let id = self.id;
        let unknown = |what: &str| inconsistent(id, &format!("unknown {what}"));
        let evidence: Evidence =
            serde_json::from_str(&self.evidence).map_err(|error| inconsistent(id, &error))?;
        let loss = match (self.lost_minor, Currency::parse(&self.lost_currency)) {
            (Some(minor), Ok(currency)) => Some(Loss { minor: i128::from(minor), currency }),
            _ => None,
        };
        let acknowledged = self.ack_at_ms.map(|at_ms| Acknowledgement {
            by: self.ack_by,
            reason: self.ack_reason,
            at: instant_from_ms(at_ms),
            until: self.ack_until_ms.map(instant_from_ms),
        });
        Ok(Episode {
            id,
            scope: Scope {
                kind: AlertKind::parse(&self.kind).ok_or_else(|| unknown("kind"))?,
                store: (self.store_id != 0).then_some(StoreId(self.store_id)),
                provider: Word::of(&self.provider),
                subject: self.subject,
            },
            state: AlertState::parse(&self.state).ok_or_else(|| unknown("state"))?,
            severity: Severity::parse(&self.severity).ok_or_else(|| unknown("severity"))?,
            onset_at: instant_from_ms(self.onset_at_ms),
            pending_at: instant_from_ms(self.pending_at_ms),
            fired_at: self.fired_at_ms.map(instant_from_ms),
            resolved_at: self.resolved_at_ms.map(instant_from_ms),
            evaluated_at: instant_from_ms(self.evaluated_at_ms),
            rounds: self.rounds,
            calm_since: self.calm_since_ms.map(instant_from_ms),
            frozen: self.frozen != 0,
            found_late: self.found_late != 0,
            loss,
            evidence,
            acknowledged,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::on_both_engines;
    use super::*;

    fn change(step: Step, id: i64) -> Change {
        let at = instant_from_ms(1_000_000);
        let state = match step {
            Step::Pending | Step::Dropped => AlertState::Pending,
            Step::Firing | Step::Worse => AlertState::Firing,
            Step::Resolved => AlertState::Resolved,
        };
        let episode = Episode {
            id,
            scope: Scope {
                kind: AlertKind::FeeMismatch,
                store: Some(StoreId(1)),
                provider: Word::of("alipay"),
                subject: "CNY".into(),
            },
            state,
            severity: Severity::Warning,
            onset_at: at,
            pending_at: at,
            fired_at: (state != AlertState::Pending).then_some(at),
            resolved_at: (state == AlertState::Resolved).then_some(at),
            evaluated_at: at,
            rounds: 1,
            calm_since: None,
            frozen: false,
            found_late: false,
            loss: Some(Loss { minor: 700, currency: Currency::CNY }),
            evidence: Evidence::FeeMismatch {
                first_day: at.date_naive(),
                last_day: at.date_naive(),
                days: 1,
                count: 3,
                amount: 1_i128 << 70,
                charged: 900,
                expected: 200,
                currency: Currency::CNY,
                reference_ppm: 3_800,
                by_contract: true,
            },
            acknowledged: None,
        };
        Change { episode, step }
    }

    on_both_engines!(
        a_change_and_its_message_are_written_together_and_read_back,
        a_suspicion_that_came_to_nothing_is_forgotten
    );

    async fn a_change_and_its_message_are_written_together_and_read_back(database: Database) {
        let now = instant_from_ms(2_000_000);
        let channel =
            database.replace_channel(None, "https://example.invalid/", "en", true, now).await.unwrap();
        let compose = |change: &Change| {
            if change.step == Step::Firing {
                vec![Outgoing { channel, body: format!("episode {}", change.episode.id) }]
            } else {
                Vec::new()
            }
        };
        let steps = [change(Step::Pending, 0), change(Step::Firing, 0)];
        database.commit_evaluation(&steps, &[], now, &compose).await.unwrap();
        let known = database.episodes_since(now).await.unwrap();
        assert_eq!(known.len(), 1);
        assert_eq!(known[0], Episode { id: known[0].id, ..steps[1].episode.clone() });
        let id = known[0].id;
        let due = database.due_notifications(now, 10).await.unwrap();
        assert_eq!(due.iter().map(|due| due.body.as_str()).collect::<Vec<_>>(), [format!("episode {id}")]);

        let ack = Acknowledgement {
            by: "王敏".into(), reason: "已联系支付宝".into(), at: now, until: None
        };
        assert!(database.acknowledge_episode(id, &ack).await.unwrap());
        // The next evaluation leaves the acknowledgement alone.
        let again = Episode { id, rounds: 9, ..steps[1].episode.clone() };
        database.commit_evaluation(&[], &[again], now, &compose).await.unwrap();
        let kept = database.episode(id).await.unwrap().unwrap();
        assert_eq!((kept.rounds, kept.acknowledged), (9, Some(ack.clone())));

        database.commit_evaluation(&[change(Step::Resolved, id)], &[], now, &compose).await.unwrap();
        assert!(!database.acknowledge_episode(id, &ack).await.unwrap());
        let steps: Vec<_> =
            database.transitions(id).await.unwrap().into_iter().map(|transition| transition.step).collect();
        assert_eq!(steps, ["pending", "firing", "resolved", "acknowledged"]);
        assert_eq!(database.episodes_since(now).await.unwrap(), []);
        assert_eq!(database.expire_episodes(now).await.unwrap(), 1);
    }

    async fn a_suspicion_that_came_to_nothing_is_forgotten(database: Database) {
        let now = instant_from_ms(2_000_000);
        let silent = |_: &Change| Vec::new();
        database.commit_evaluation(&[change(Step::Pending, 0)], &[], now, &silent).await.unwrap();
        let id = database.episodes_since(now).await.unwrap()[0].id;
        database.commit_evaluation(&[change(Step::Dropped, id)], &[], now, &silent).await.unwrap();
        assert_eq!(database.episode(id).await.unwrap(), None);
    }
}
