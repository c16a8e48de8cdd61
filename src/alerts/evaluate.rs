//! One evaluation of everything, as a pure function of the history up to a moment; and the replay of past hours.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use crate::domain::{Instant, Range, StoreId, Word};

use super::bills::{self, Bills};
use super::fees::{self, Fees};
use super::machine::{Step, advance};
use super::series::{Series, hour_of};
use super::trouble::{self, TaskStanding, Waiting};
use super::{AlertKind, AlertState, Episode, Evidence, Scope, Verdict, refunds, silence, success_rate};

/// How far back hours are judged again after a restart or when data come late.
pub const REPLAY_HOURS_MAX: i64 = 48;

/// Everything that is judged. Filled from one snapshot, so that all verdicts agree with each other.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// Hourly counts per store and provider.
    pub series: BTreeMap<(StoreId, Word), Series>,
    /// The same of whole stores.
    pub stores: BTreeMap<StoreId, Series>,
    /// Bills per store, provider and account.
    pub bills: BTreeMap<(StoreId, Word, Word), Bills>,
    pub fees: BTreeMap<(StoreId, Word), Fees>,
    pub tasks: Vec<TaskStanding>,
    pub waiting: Waiting,
}

/// What an open episode tells its test.
#[derive(Clone, Copy, Debug)]
pub struct Since {
    pub onset_at: Instant,
    pub fired_at: Option<Instant>,
    /// Orders in the last hour before a silence.
    pub silent_seen: Option<i64>,
}

impl Since {
    fn of(episode: &Episode) -> Self {
        let silent_seen = match episode.evidence {
            Evidence::TrafficSilence { seen, .. } => Some(seen),
            _ => None,
        };
        Self { onset_at: episode.onset_at, fired_at: episode.fired_at, silent_seen }
    }
}

/// Episodes by scope: the open one, and when the last one was over.
#[derive(Clone, Debug, Default)]
pub struct Known {
    pub open: BTreeMap<Scope, Episode>,
    /// The last recovery: evidence from before it never fires again.
    pub floors: BTreeMap<Scope, Instant>,
}

impl Known {
    /// Notes a stored episode.
    pub fn note(&mut self, episode: Episode) {
        match episode.resolved_at {
            None => {
                self.open.insert(episode.scope.clone(), episode);
            }
            Some(resolved_at) => {
                let floor = self.floors.entry(episode.scope).or_insert(resolved_at);
                *floor = (*floor).max(resolved_at);
            }
        }
    }
}

/// An episode that an evaluation changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    pub episode: Episode,
    pub step: Step,
}

/// Judges everything at one moment.
pub fn evaluate(inputs: &Inputs, known: &Known, at: Instant) -> Vec<(Scope, Verdict)> {
    let mut verdicts = trouble::judge(&inputs.tasks, &inputs.waiting, at);
    // While records wait, what looks like silence or recovery may be our own delay: nothing is judged.
    if inputs.waiting.is_stale(at) {
        return verdicts;
    }
    verdicts.extend(evaluate_hourly(inputs, known, at));
    for ((store, provider, account), bills) in &inputs.bills {
        let scope = Scope {
            kind: AlertKind::SettlementLate,
            store: Some(*store),
            provider: *provider,
            subject: account.to_string(),
        };
        verdicts.push((scope, bills::judge(bills, at)));
    }
    for ((store, provider), fees) in &inputs.fees {
        let scope = provider_scope(AlertKind::FeeMismatch, *store, *provider, fees.currency.code());
        let kept_ppm = known.open.get(&scope).and_then(|episode| match episode.evidence {
            Evidence::FeeMismatch { reference_ppm, by_contract: false, .. } => Some(reference_ppm),
            _ => None,
        });
        verdicts.push((scope, fees::judge(&Fees { kept_ppm, ..fees.clone() }, at)));
    }
    verdicts
}

/// Judges the kinds that look at hours; the only ones a replay judges.
fn evaluate_hourly(inputs: &Inputs, known: &Known, at: Instant) -> Vec<(Scope, Verdict)> {
    let mut verdicts = Vec::new();
    let mut silent_stores = Vec::new();
    let since = |scope: &Scope| known.open.get(scope).map(Since::of);
    for (store, series) in &inputs.stores {
        let scope = provider_scope(AlertKind::TrafficSilence, *store, Word::NONE, "");
        let several = inputs.series.keys().filter(|(other, _)| other == store).count() > 1;
        // With one provider the store's silence is the provider's.
        if several {
            let verdict = silence::judge(series, None, Word::NONE, at, since(&scope));
            if matches!(verdict, Verdict::Alarm(_)) {
                silent_stores.push(*store);
            }
            verdicts.push((scope, verdict));
        }
        let scope = provider_scope(AlertKind::RefundSpike, *store, Word::NONE, "");
        let verdict = refunds::judge(series, at, since(&scope), floor(known, &scope));
        verdicts.push((scope, verdict));
    }
    for ((store, provider), series) in &inputs.series {
        let mut others = inputs.stores.get(store).cloned();
        if let Some(rest) = &mut others {
            rest.subtract(series);
        }
        let scope = provider_scope(AlertKind::TrafficSilence, *store, *provider, "");
        let alone = others.as_ref().is_none_or(|rest| rest.cells.iter().all(|cell| cell.started == 0));
        let rest = if alone { None } else { others.as_ref() };
        let mut verdict = silence::judge(series, rest, *provider, at, since(&scope));
        if silent_stores.contains(store) && matches!(verdict, Verdict::Alarm(_)) {
            // The store as a whole tells it once.
            verdict = Verdict::NoData;
        }
        verdicts.push((scope, verdict));
        let scope = provider_scope(AlertKind::SuccessRateDrop, *store, *provider, "");
        let verdict = success_rate::judge(series, at, since(&scope), floor(known, &scope));
        verdicts.push((scope, verdict));
    }
    verdicts
}

fn provider_scope(kind: AlertKind, store: StoreId, provider: Word, subject: &str) -> Scope {
    Scope { kind, store: Some(store), provider, subject: subject.to_owned() }
}

/// The first hour evidence may come from: the one after the last recovery.
fn floor(known: &Known, scope: &Scope) -> i64 {
    known.floors.get(scope).map_or(i64::MIN / 4, |at| hour_of(*at) + 1)
}

/// Moves every scope on by its verdict; returns what changed and brings `known` up to date.
pub fn apply(
    known: &mut Known,
    verdicts: Vec<(Scope, Verdict)>,
    at: Instant,
    since_last: TimeDelta,
) -> Vec<Change> {
    let mut changes = Vec::new();
    for (scope, verdict) in verdicts {
        let (episode, steps) = advance(&scope, known.open.remove(&scope), verdict, at, since_last);
        let Some(episode) = episode else { continue };
        changes.extend(steps.iter().map(|step| Change { episode: episode.clone(), step: *step }));
        if steps.contains(&Step::Dropped) {
            continue;
        }
        if episode.state == AlertState::Resolved {
            known.floors.insert(scope, at);
        } else {
            known.open.insert(scope, episode);
        }
    }
    changes
}

/// Judges past hours again, as if it had been done then: each whole hour from `from` on, before `until`. Pure: the history up
/// to each hour is all it sees. Returns the episodes found, over ones marked as found late, without those that overlap an
/// episode already `told` of.
pub fn replay(inputs: &Inputs, told: &[(Scope, Range)], from: Instant, until: Instant) -> Vec<Episode> {
    let mut known = Known::default();
    let mut found: Vec<Episode> = Vec::new();
    let first = hour_of(from).max(hour_of(until) - REPLAY_HOURS_MAX) + 1;
    for hour in first..=hour_of(until) {
        // The last second of the hour before: that hour is seen whole, and nothing after it.
        let at = super::series::hour_start(hour) - TimeDelta::seconds(1);
        let verdicts = evaluate_hourly(inputs, &known, at);
        for change in apply(&mut known, verdicts, at, TimeDelta::hours(1)) {
            if change.step == Step::Resolved {
                found.push(change.episode);
            }
        }
    }
    for episode in &mut found {
        episode.found_late = true;
    }
    found.extend(known.open.into_values().filter(|episode| episode.state == AlertState::Firing));
    found.retain(|episode| {
        let end = episode.resolved_at.unwrap_or(until);
        !told
            .iter()
            .any(|(scope, span)| *scope == episode.scope && span.from < end && episode.onset_at < span.until)
    });
    found
}
