//! Alerts in English.

use chrono::{Datelike, NaiveDate};

use super::{
    AlertKind, AlertState, Episode, Evidence, Loss, PERCENT_FROM, Surprise, Told, Tongue, Where, about,
    count, local, minutes, money, percent_of_ppm, provider_name, success, weeks_by_chance,
};
use crate::domain::Instant;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

pub(super) const fn kind_name(kind: AlertKind) -> &'static str {
    match kind {
        AlertKind::SuccessRateDrop => "Success rate drop",
        AlertKind::TrafficSilence => "Silence",
        AlertKind::SettlementLate => "Bill has not come",
        AlertKind::FeeMismatch => "Fees too high",
        AlertKind::RefundSpike => "Refund burst",
        AlertKind::JobFailed => "Job failing",
        AlertKind::IngestLag => "Records waiting",
    }
}

pub(super) fn tell(episode: &Episode, place: &Where) -> Told {
    let provider = provider_name(Tongue::English, episode.scope.provider);
    let (title, mut lines) = match &episode.evidence {
        Evidence::SuccessRateDrop { .. } => success_rate(episode, place, &provider),
        Evidence::TrafficSilence { .. } => silence(episode, place, &provider),
        Evidence::SettlementLate { .. } => bill(episode, place, &provider),
        Evidence::FeeMismatch { .. } => fees(episode, &provider),
        Evidence::RefundSpike { .. } => refunds(episode, place),
        Evidence::JobFailed { .. } | Evidence::IngestLag { .. } => trouble(episode, place),
    };
    if episode.state == AlertState::Resolved {
        // What to do next is moot now.
        lines.pop();
        lines.push(format!("Lasted {}.", length(minutes(episode))));
    }
    if episode.found_late {
        lines.push("Found late: it was over when the records came in.".to_owned());
    }
    let store = if place.store.is_empty() { String::new() } else { format!(" · {}", place.store) };
    let over = if episode.state == AlertState::Resolved { "Recovered: " } else { "" };
    Told { title: format!("{over}{title}{store}"), lines }
}

fn success_rate(episode: &Episode, place: &Where, provider: &str) -> (String, Vec<String>) {
    let Evidence::SuccessRateDrop { from, until, failed, of, usual, surprise, .. } = &episode.evidence else {
        return Default::default();
    };
    let title = if *of < PERCENT_FROM {
        format!("{provider}: {} of {} payments failed", count(*failed), count(*of))
    } else {
        #[expect(clippy::cast_precision_loss, reason = "a share that is told")]
        let now = success(*failed as f64, *of);
        format!("{provider} success fell from {} to {now}", success(*usual, *of))
    };
    let lost = rounded_excess(*failed, *usual);
    let lines = vec![
        format!(
            "{} of {} payments failed from {} to {}; about {} would be usual.",
            count(*failed),
            count(*of),
            moment(*from, place),
            moment(*until, place),
            about(*usual)
        ),
        cost(lost, episode.loss),
        chance(surprise),
        format!(
            "Next: open the failed payments of {provider} and their error codes; compare with the other \
             providers; offer another way to pay and ask {provider}."
        ),
    ];
    (title, lines)
}

fn silence(episode: &Episode, place: &Where, provider: &str) -> (String, Vec<String>) {
    let Evidence::TrafficSilence { last_order, exact, until, usual, surprise, .. } = &episode.evidence else {
        return Default::default();
    };
    let whole_store = episode.scope.provider.is_none();
    let what = if whole_store { "payment at all".to_owned() } else { format!("{provider} payment") };
    let gap = length((*until - *last_order).num_minutes().max(0));
    let last = if *exact { "last at" } else { "last before" };
    let next = if whole_store {
        "Next: is the store open? If it is, check the till's connection and the sending of records (page Imports)."
    } else {
        "Next: try a payment; if it goes through, check the sending of records (page Imports), else ask the provider."
    };
    let lines = vec![
        format!("{} are usual in this time; {last} {}.", about(*usual), moment(*last_order, place)),
        episode.loss.map_or_else(
            || "What it costs is not known.".to_owned(),
            |loss| format!("Sales usual in this time: about {}.", money(loss)),
        ),
        chance(surprise),
        next.to_owned(),
    ];
    (format!("No {what} for {gap}"), lines)
}

fn bill(episode: &Episode, place: &Where, provider: &str) -> (String, Vec<String>) {
    let Evidence::SettlementLate { first_day, last_day, missing, due_at, had_days, of_days, sales, currency } =
        &episode.evidence
    else {
        return Default::default();
    };
    let days = days(*first_day, *last_day);
    let lines = vec![
        format!(
            "The bill of account {} for {days} was due on {}; {} missing. {had_days} of the {of_days} days before \
             had one.",
            episode.scope.subject,
            moment(*due_at, place),
            if *missing == 1 { "1 day is".to_owned() } else { format!("{missing} days are") },
        ),
        match (sales, currency) {
            (Some(minor), Some(currency)) => {
                format!(
                    "Not yet checked against a bill: {}.",
                    money(Loss { minor: *minor, currency: *currency })
                )
            }
            _ => "How much it covers is not known.".to_owned(),
        },
        "Certain: no line of it is here.".to_owned(),
        format!(
            "Next: fetch the bill from {provider} and import it; until then fees and reconciliation of {days} are incomplete."
        ),
    ];
    (format!("{provider} bill for {days} has not come"), lines)
}

fn fees(episode: &Episode, provider: &str) -> (String, Vec<String>) {
    let Evidence::FeeMismatch {
        first_day,
        last_day,
        count: payments,
        amount,
        charged,
        expected,
        currency,
        reference_ppm,
        by_contract,
        ..
    } = &episode.evidence
    else {
        return Default::default();
    };
    let charged_rate = percent_of_ppm(super::super::fees::ppm_of(*charged, *amount));
    let reference = percent_of_ppm(*reference_ppm);
    let says = if *by_contract { "the contract says" } else { "before it was" };
    let in_money = |minor: i128| money(Loss { minor, currency: *currency });
    let lines = vec![
        format!(
            "{} to {}: {} on {} payments of together {}, expected {}.",
            date(*first_day),
            date(*last_day),
            in_money(*charged),
            count(*payments),
            in_money(*amount),
            in_money(*expected)
        ),
        format!("Too much so far: {}.", in_money(*charged - *expected)),
        if *by_contract {
            "Certain: rounding cannot explain it.".to_owned()
        } else {
            "Rounding cannot explain it, but no contract is entered: this compares with what was charged before.".to_owned()
        },
        format!("Next: open the fees of these days, show {provider} the bill and ask for the difference."),
    ];
    (format!("{provider} charges {charged_rate}, {says} {reference}"), lines)
}

fn refunds(episode: &Episode, place: &Where) -> (String, Vec<String>) {
    let Evidence::RefundSpike { from, until, refunds, usual, amount, currency, surprise, operator, .. } =
        &episode.evidence
    else {
        return Default::default();
    };
    let by = operator
        .as_ref()
        .map_or_else(String::new, |(name, own)| format!(" {} of them by {name}.", count(*own)));
    let lines = vec![
        format!(
            "From {} to {}; about {} would be usual.{by}",
            moment(*from, place),
            moment(*until, place),
            about(*usual)
        ),
        currency.map_or_else(
            || "The amount is in several currencies.".to_owned(),
            |currency| format!("Given back: {}.", money(Loss { minor: *amount, currency })),
        ),
        chance(surprise),
        "Next: open these refunds; look at who gave them, their reasons, and whether the goods came back."
            .to_owned(),
    ];
    (format!("{} refunds, {} are usual", count(*refunds), about(*usual)), lines)
}

fn trouble(episode: &Episode, place: &Where) -> (String, Vec<String>) {
    match &episode.evidence {
        Evidence::JobFailed { failures, last_success, error } => {
            let last = last_success.map_or_else(
                || "It has never succeeded.".to_owned(),
                |at| format!("Last success {}.", moment(at, place)),
            );
            let lines = vec![
                format!("{last} Last error: {error}."),
                "Figures may be out of date.".to_owned(),
                "Certain.".to_owned(),
                "Next: read the log around that time; the job goes on trying.".to_owned(),
            ];
            let times = if *failures == 1 { "once".to_owned() } else { format!("{failures} times in a row") };
            (format!("Job {} failed {times}", episode.scope.subject), lines)
        }
        Evidence::IngestLag { oldest, batches, rows, queue_full } => {
            let since =
                oldest.map_or_else(String::new, |at| format!(", the oldest since {}", moment(at, place)));
            let full = if *queue_full { " The queue is full: senders are told to try again." } else { "" };
            let lines = vec![
                format!(
                    "{} records in {} batches wait to be counted{since}.{full}",
                    count(*rows),
                    count(*batches)
                ),
                "Nothing is lost, but figures are out of date, and payment alerts stand still meanwhile."
                    .to_owned(),
                "Certain.".to_owned(),
                "Next: look at the job `fold` and free disk space on the page Status.".to_owned(),
            ];
            ("Records wait to be counted".to_owned(), lines)
        }
        _ => Default::default(),
    }
}

fn cost(orders: i64, loss: Option<Loss>) -> String {
    let payments = if orders == 1 { "1 payment".to_owned() } else { format!("{} payments", count(orders)) };
    match loss {
        Some(loss) => format!("Cost so far: about {payments}, {}.", money(loss)),
        None => format!("Cost so far: about {payments}."),
    }
}

fn chance(surprise: &Surprise) -> String {
    let weeks = weeks_by_chance(surprise);
    format!("By chance alone this happens less than once in {} weeks.", count(weeks))
}

#[expect(clippy::cast_possible_truncation, reason = "at most what was counted")]
fn rounded_excess(failed: i64, usual: f64) -> i64 {
    (failed - usual.round() as i64).max(0)
}

fn moment(at: Instant, place: &Where) -> String {
    let local = local(at, place.zone);
    let month = MONTHS[local.month.saturating_sub(1).min(11) as usize];
    format!("{} {month} {}", local.day, local.time)
}

fn date(day: NaiveDate) -> String {
    format!("{} {}", day.day(), MONTHS[day.month0().min(11) as usize])
}

fn days(first: NaiveDate, last: NaiveDate) -> String {
    if first == last { date(first) } else { format!("{} to {}", date(first), date(last)) }
}

fn length(minutes: i64) -> String {
    match (minutes / 1440, minutes / 60 % 24, minutes % 60) {
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, 0) => format!("{hours} h"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (1, 0, _) => "1 day".to_owned(),
        (days, 0, _) => format!("{days} days"),
        (1, hours, _) => format!("1 day {hours} h"),
        (days, hours, _) => format!("{days} days {hours} h"),
    }
}
