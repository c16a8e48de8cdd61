//! Sends what waits in the outbox: at least once, in order, no faster than the robots take it.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use chrono::TimeDelta;

use crate::domain::Instant;
use crate::store::{Delivery, DueNotification};
use crate::telemetry::RunResult;

use super::runner::{Job, JobContext, JobReport};
use super::wecom::{self, MESSAGES_PER_MINUTE_MAX, SendError};

/// The label of metrics.
const CHANNEL: &str = "wecom";
/// Pauses before the second, third … try; the last one repeats.
const PAUSES_S: [i64; 7] = [1, 5, 30, 120, 600, 1_800, 3_600];
/// After this a message is given up: yesterday's alert is no news.
const GIVE_UP_AFTER: TimeDelta = TimeDelta::hours(24);
/// After "too fast".
const TOO_FAST_PAUSE: TimeDelta = TimeDelta::seconds(60);
/// How long a message is kept from other servers while it is sent; after a crash another one sends it then.
const CLAIM: TimeDelta = TimeDelta::minutes(2);
/// Messages of one run.
const STEP_MAX: i64 = 40;
/// How long sent and failed messages are kept, and resolved episodes.
const NOTIFICATIONS_KEEP: TimeDelta = TimeDelta::days(30);
const EPISODES_KEEP: TimeDelta = TimeDelta::days(400);
/// Expiry is looked at so often.
const EXPIRE_EVERY: TimeDelta = TimeDelta::hours(6);

/// The job.
pub struct Notify {
    client: reqwest::Client,
    /// When each channel's messages of the last minute went out.
    sent: Mutex<HashMap<i64, VecDeque<Instant>>>,
    expired_at: Mutex<Option<Instant>>,
}

impl Notify {
    /// Sending through robots.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new() -> anyhow::Result<Self> {
        let client = wecom::client().context("setting up the client of robots")?;
        Ok(Self { client, sent: Mutex::default(), expired_at: Mutex::default() })
    }

    /// Takes one of the channel's messages of this minute; false: there is none left.
    fn takes(&self, channel: i64, now: Instant) -> bool {
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        let minute = sent.entry(channel).or_default();
        while minute.front().is_some_and(|at| now - *at >= TimeDelta::seconds(60)) {
            minute.pop_front();
        }
        let free = minute.len() < MESSAGES_PER_MINUTE_MAX;
        if free {
            minute.push_back(now);
        }
        free
    }

    async fn deliver(&self, context: &JobContext, due: &DueNotification) -> anyhow::Result<bool> {
        if context.database.is_shared() {
            let until = context.clock.now() + CLAIM;
            if !context.database.claim_notification(due, until).await.context("claiming a message")? {
                return Ok(false);
            }
        }
        let timer = std::time::Instant::now();
        let outcome = wecom::send(&self.client, &due.url, &due.body).await;
        let now = context.clock.now();
        let delivery = match outcome {
            Ok(()) => Delivery::Sent { at: now },
            Err(SendError::Final(error)) => Delivery::Failed { error },
            Err(error) if now - due.created_at >= GIVE_UP_AFTER => {
                Delivery::Failed { error: error.to_string() }
            }
            Err(error) => Delivery::Later { due: next_try(due, &error, now), error: error.to_string() },
        };
        let sent = matches!(delivery, Delivery::Sent { .. });
        let result = if sent { RunResult::Succeeded } else { RunResult::Failed };
        context.metrics.notification_sent(CHANNEL, result, timer.elapsed().as_secs_f64(), now);
        if !sent {
            tracing::warn!(notification = due.id, ?delivery, "a message did not get through");
        }
        context.database.settle_notification(due, &delivery, now).await.context("noting a delivery")?;
        Ok(sent)
    }

    async fn expire(&self, context: &JobContext, now: Instant) -> anyhow::Result<()> {
        let last = *self.expired_at.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_some_and(|last| now - last < EXPIRE_EVERY) {
            return Ok(());
        }
        context.database.expire_notifications(now - NOTIFICATIONS_KEEP).await.context("old messages")?;
        context.database.expire_episodes(now - EPISODES_KEEP).await.context("old episodes")?;
        *self.expired_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
        Ok(())
    }
}

impl Job for Notify {
    const NAME: &'static str = "notify";

    fn interval(&self) -> Duration {
        Duration::from_secs(2)
    }

    async fn run(&self, context: &JobContext) -> anyhow::Result<JobReport> {
        let now = context.clock.now();
        self.expire(context, now).await?;
        let due = context.database.due_notifications(now, STEP_MAX).await.context("asking what is due")?;
        let mut done = 0;
        // A robot that did not answer is not asked again in this run: its messages keep their order.
        let mut resting = BTreeSet::new();
        for one in &due {
            if resting.contains(&one.channel) || !self.takes(one.channel, context.clock.now()) {
                continue;
            }
            if self.deliver(context, one).await? {
                done += 1;
            } else {
                resting.insert(one.channel);
            }
        }
        let waiting = context.database.count_waiting_notifications().await.context("counting what waits")?;
        let waiting = u32::try_from(waiting).unwrap_or(u32::MAX);
        context.metrics.set_notifications_pending([(CHANNEL, waiting)]);
        Ok(JobReport { done, more: false })
    }
}

/// When to try again: longer and longer, spread a little so that many messages do not come back at once.
fn next_try(due: &DueNotification, error: &SendError, now: Instant) -> Instant {
    if *error == SendError::TooFast {
        return now + TOO_FAST_PAUSE;
    }
    let index = usize::try_from(due.attempts).unwrap_or(0).min(PAUSES_S.len() - 1);
    let pause_ms = PAUSES_S[index] * 1_000;
    let spread_ms = due.id.rem_euclid(10) * pause_ms / 100;
    now + TimeDelta::milliseconds(pause_ms + spread_ms)
}

#[cfg(test)]
#[path = "notify_tests.rs"]
mod tests;
