//! The state machine: pending, firing, resolved. Pure: an episode and a verdict in, the next episode out.

use chrono::TimeDelta;

use crate::domain::Instant;

use super::{AlertKind, AlertState, Episode, Finding, Scope, Severity, Verdict};

/// Evaluations in a row that must be calm before an episode is resolved.
const RECOVERY_ROUNDS: i64 = 3;
/// And for how long.
const RECOVERY_HOLD: TimeDelta = TimeDelta::minutes(10);
/// Evaluations this far apart are a replay of whole hours: one is enough to fire.
const REPLAY_STEP: TimeDelta = TimeDelta::minutes(30);

/// What an evaluation changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// First suspicion.
    Pending,
    Firing,
    /// From warning to critical.
    Worse,
    Resolved,
    /// A suspicion that came to nothing: the episode is forgotten.
    Dropped,
}

impl Step {
    /// The word in SQL and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Firing => "firing",
            Self::Worse => "worse",
            Self::Resolved => "resolved",
            Self::Dropped => "dropped",
        }
    }
}

/// Evaluations in a row that must alarm before a kind fires.
const fn pending_rounds(kind: AlertKind) -> i64 {
    match kind {
        AlertKind::SuccessRateDrop | AlertKind::TrafficSilence => 2,
        _ => 1,
    }
}

/// Moves an episode (or none) on by one verdict. Returns the episode as it now stands and what changed.
///
/// No data changes nothing: an episode is only ever resolved by data that pass the recovery test for
/// several rounds. A dropped suspicion comes back once more, to be deleted.
pub fn advance(
    scope: &Scope,
    episode: Option<Episode>,
    verdict: Verdict,
    at: Instant,
    since_last: TimeDelta,
) -> (Option<Episode>, Vec<Step>) {
    match (episode, verdict) {
        (None, Verdict::Alarm(finding)) => {
            let mut begun = begin(scope, *finding, at);
            let mut steps = vec![Step::Pending];
            if pending_rounds(scope.kind) <= 1 || since_last >= REPLAY_STEP {
                begun.state = AlertState::Firing;
                begun.fired_at = Some(at);
                steps.push(Step::Firing);
            }
            (Some(begun), steps)
        }
        (Some(mut open), Verdict::Alarm(finding)) => {
            let steps = alarm_again(&mut open, *finding, at);
            (Some(open), steps)
        }
        (Some(mut open), Verdict::Calm) => {
            let steps = calm_again(&mut open, at);
            (Some(open), steps)
        }
        (other, _) => (other, Vec::new()),
    }
}

fn begin(scope: &Scope, finding: Finding, at: Instant) -> Episode {
    Episode {
        id: 0,
        scope: scope.clone(),
        state: AlertState::Pending,
        severity: finding.severity,
        onset_at: finding.onset_at,
        pending_at: at,
        fired_at: None,
        resolved_at: None,
        evaluated_at: at,
        rounds: 1,
        calm_since: None,
        frozen: false,
        found_late: false,
        loss: finding.loss,
        evidence: finding.evidence,
        acknowledged: None,
    }
}

fn alarm_again(open: &mut Episode, finding: Finding, at: Instant) -> Vec<Step> {
    let mut steps = Vec::new();
    open.rounds = if open.calm_since.take().is_some() { 1 } else { open.rounds + 1 };
    open.evaluated_at = at;
    open.frozen = false;
    open.evidence = finding.evidence;
    open.loss = finding.loss;
    open.onset_at = open.onset_at.min(finding.onset_at);
    if open.state == AlertState::Pending && open.rounds >= pending_rounds(open.scope.kind) {
        open.state = AlertState::Firing;
        open.fired_at = Some(at);
        open.severity = finding.severity;
        steps.push(Step::Firing);
    }
    // Severity only rises within an episode: a message that takes a fright back helps nobody.
    if finding.severity == Severity::Critical && open.severity == Severity::Warning {
        open.severity = Severity::Critical;
        if open.state == AlertState::Firing {
            steps.push(Step::Worse);
        }
    }
    steps
}

fn calm_again(open: &mut Episode, at: Instant) -> Vec<Step> {
    open.evaluated_at = at;
    open.frozen = false;
    if open.state == AlertState::Pending {
        return vec![Step::Dropped];
    }
    let since = *open.calm_since.get_or_insert_with(|| {
        open.rounds = 0;
        at
    });
    open.rounds += 1;
    if open.rounds >= RECOVERY_ROUNDS && at - since >= RECOVERY_HOLD {
        open.state = AlertState::Resolved;
        open.resolved_at = Some(at);
        return vec![Step::Resolved];
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::super::Evidence;
    use super::*;
    use crate::domain::{StoreId, Word};

    fn scope() -> Scope {
        let provider = Word::of("alipay");
        Scope { kind: AlertKind::TrafficSilence, store: Some(StoreId(1)), provider, subject: String::new() }
    }

    fn minute(minute: i64) -> Instant {
        crate::domain::instant_from_ms(minute * 60_000)
    }

    fn alarm(severity: Severity) -> Verdict {
        let evidence = Evidence::JobFailed { failures: 1, last_success: None, error: String::new() };
        Verdict::Alarm(Box::new(Finding { onset_at: minute(0), severity, loss: None, evidence }))
    }

    /// Runs one verdict a minute; returns each minute's steps and the last episode.
    fn run(verdicts: Vec<Verdict>) -> (Vec<Vec<Step>>, Option<Episode>) {
        let (mut episode, mut steps) = (None, Vec::new());
        for (index, verdict) in (1_i64..).zip(verdicts) {
            let (next, found) = advance(&scope(), episode, verdict, minute(index), TimeDelta::minutes(1));
            steps.push(found);
            episode = next;
        }
        (steps, episode)
    }

    #[test]
    fn two_rounds_fire_and_one_alone_is_dropped() {
        let warning = || alarm(Severity::Warning);
        let (steps, episode) = run(vec![warning(), warning(), warning()]);
        assert_eq!(steps, [vec![Step::Pending], vec![Step::Firing], vec![]]);
        assert_eq!(episode.unwrap().fired_at, Some(minute(2)));
        let (steps, _) = run(vec![warning(), Verdict::Calm]);
        assert_eq!(steps[1], [Step::Dropped]);
    }

    #[test]
    fn no_data_resolves_nothing_however_long() {
        let mut verdicts = vec![alarm(Severity::Warning), alarm(Severity::Warning)];
        verdicts.extend(std::iter::repeat_n(Verdict::NoData, 1_000));
        let (_, episode) = run(verdicts);
        assert_eq!(episode.unwrap().state, AlertState::Firing);
    }

    #[test]
    fn ten_calm_minutes_resolve_and_a_new_alarm_starts_them_again() {
        let mut verdicts = vec![alarm(Severity::Warning), alarm(Severity::Warning)];
        verdicts.extend(std::iter::repeat_n(Verdict::Calm, 9));
        verdicts.push(alarm(Severity::Critical));
        verdicts.extend(std::iter::repeat_n(Verdict::Calm, 11));
        let (steps, episode) = run(verdicts);
        assert_eq!(steps[11], [Step::Worse]);
        assert_eq!(steps.iter().flatten().filter(|step| **step == Step::Resolved).count(), 1);
        assert_eq!(steps.last().unwrap(), &[Step::Resolved]);
        assert_eq!(episode.unwrap().resolved_at, Some(minute(23)));
    }

    #[test]
    fn in_a_replay_of_hours_one_round_fires() {
        let (episode, steps) =
            advance(&scope(), None, alarm(Severity::Warning), minute(60), TimeDelta::hours(1));
        assert_eq!(steps, [Step::Pending, Step::Firing]);
        assert_eq!(episode.unwrap().state, AlertState::Firing);
    }
}
