use chrono::NaiveDate;

use crate::domain::{FailureClass, Grain, RecordKey, Status, StoreId, Word, instant_from_ms};
use crate::lake::{Frame, FrameError};

use super::changes::{Changes, Grains};
use super::rollup::{ConversionKey, ConversionSums, Slot, Unit};

/// An intent takes in the attempts of its group within this span after its first.
const INTENT_MS: i64 = 24 * 3_600_000;
/// Attempts of one attempt group are at most this far apart.
const ATTEMPT_GAP_MS: i64 = 30 * 60_000;

/// The columns that [`add_conversion`] reads.
pub const GROUP_COLUMNS: [&str; 22] = [
    "key_high",
    "key_low",
    "group_hash",
    "grouped",
    "store",
    "created_ms",
    "kind",
    "status",
    "amount",
    "currency",
    "provider",
    "method",
    "scene",
    "promotion",
    "attempt",
    "submitted_ms",
    "authorized_ms",
    "failure_class",
    "witness",
    "test",
    "account",
    "feed",
];

/// One attempt, with what decides how its payment ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "four independent facts of a row")]
pub struct Attempt {
    pub store: StoreId,
    pub group: u64,
    /// True when a `payment_id` or `order_id` was given: only then can other rows belong to the group.
    pub grouped: bool,
    pub key: RecordKey,
    pub created_ms: i64,
    pub number: i64,
    pub status: Status,
    pub submitted: bool,
    pub authorized: bool,
    pub technical: bool,
    pub provider: Word,
    pub method: Word,
    pub scene: Word,
    pub promotion: Word,
    pub currency: Word,
    pub amount: i64,
}

/// The counted payment attempts of a frame.
///
/// # Errors
/// [`FrameError`] when a column is missing.
pub fn attempts(rows: &Frame) -> Result<Vec<Attempt>, FrameError> {
    let data = rows.data();
    let integer = |name: &str| -> Result<Vec<Option<i64>>, FrameError> {
        Ok(data.column(name)?.i64()?.iter().collect())
    };
    let hash = |name: &str| -> Result<Vec<u64>, FrameError> {
        Ok(data.column(name)?.u64()?.iter().map(|hash| hash.unwrap_or(0)).collect())
    };
    let flag = |name: &str| -> Result<Vec<bool>, FrameError> {
        Ok(data.column(name)?.bool()?.iter().map(|flag| flag.unwrap_or(false)).collect())
    };
    let word = |name: &str| -> Result<Vec<Word>, FrameError> {
        Ok(data.column(name)?.str()?.iter().map(|text| Word::of(text.unwrap_or_default())).collect())
    };
    let (high, low, group) = (hash("key_high")?, hash("key_low")?, hash("group_hash")?);
    let (grouped, witness, test) = (flag("grouped")?, flag("witness")?, flag("test")?);
    let (store, created, amount) = (integer("store")?, integer("created_ms")?, integer("amount")?);
    let (number, submitted, authorized) =
        (integer("attempt")?, integer("submitted_ms")?, integer("authorized_ms")?);
    let (kind, status, class) =
        (data.column("kind")?.str()?, data.column("status")?.str()?, word("failure_class")?);
    let (provider, method, scene) = (word("provider")?, word("method")?, word("scene")?);
    let (promotion, currency) = (word("promotion")?, word("currency")?);
    let technical = Word::of(FailureClass::Technical.as_str());
    let mut found = Vec::with_capacity(data.height());
    for row in 0..data.height() {
        let Some(status) = status.get(row).and_then(Status::parse) else { continue };
        if kind.get(row) != Some("payment") || witness[row] || test[row] {
            continue;
        }
        found.push(Attempt {
            store: StoreId(store[row].unwrap_or(0)),
            group: group[row],
            grouped: grouped[row],
            key: RecordKey { high: high[row], low: low[row] },
            created_ms: created[row].unwrap_or(0),
            number: number[row].unwrap_or(0),
            status,
            submitted: submitted[row].is_some() || reached_provider(status),
            authorized: authorized[row].is_some() || status == Status::Authorized || status.is_posted(),
            technical: status == Status::Failed && class[row] == technical,
            provider: provider[row],
            method: method[row],
            scene: scene[row],
            promotion: promotion[row],
            currency: currency[row],
            amount: amount[row].unwrap_or(0),
        });
    }
    Ok(found)
}

const fn reached_provider(status: Status) -> bool {
    !matches!(status, Status::Created | Status::Blocked | Status::Cancelled | Status::Expired)
}

/// Adds the conversion cells of these attempts, times `sign`.
///
/// The attempts of a group must be all there, or else missing alike in a call with the opposite sign.
///
/// An intent begins with an attempt that has no other of its group in the 24 hours before it, and takes in those of
/// the 24 hours after it. So it can be judged from the rows of two days. A retry later than that, in an unbroken
/// chain, belongs to no intent; it stays an attempt.
pub fn add_conversion(changes: &mut Changes, mut attempts: Vec<Attempt>, sign: i64, grains: &Grains) {
    attempts.sort_by_key(|row| (row.store, row.group, row.created_ms, row.number, row.key));
    for group in attempts.chunk_by(|a, b| a.store == b.store && a.group == b.group) {
        for intent in intents(group) {
            add_unit(changes, Unit::Payment, &intent.iter(), sign, grains);
            for unit in attempt_groups(intent) {
                add_unit(changes, Unit::AttemptGroup, &unit.iter().copied(), sign, grains);
            }
        }
    }
}

fn intents(group: &[Attempt]) -> Vec<&[Attempt]> {
    let mut found = Vec::new();
    for (index, row) in group.iter().enumerate() {
        let is_first = index == 0 || row.created_ms - group[index - 1].created_ms > INTENT_MS;
        if is_first {
            let end = group[index..]
                .iter()
                .take_while(|next| next.created_ms - row.created_ms <= INTENT_MS)
                .count();
            found.push(&group[index..index + end]);
        }
    }
    found
}

/// Attempts with one method and amount, at most 30 minutes apart, up to the first success.
fn attempt_groups(intent: &[Attempt]) -> Vec<Vec<&Attempt>> {
    let mut closed: Vec<Vec<&Attempt>> = Vec::new();
    let mut open: Vec<Vec<&Attempt>> = Vec::new();
    for row in intent {
        let same = |group: &Vec<&Attempt>| {
            group.last().is_some_and(|last| {
                (last.method, last.amount, last.currency) == (row.method, row.amount, row.currency)
            })
        };
        let goes_on = |group: &Vec<&Attempt>| {
            group.last().is_some_and(|last| {
                !last.status.is_posted() && row.created_ms - last.created_ms <= ATTEMPT_GAP_MS
            })
        };
        match open.iter().position(same) {
            Some(place) if goes_on(&open[place]) => open[place].push(row),
            Some(place) => closed.push(std::mem::replace(&mut open[place], vec![row])),
            None => open.push(vec![row]),
        }
    }
    closed.append(&mut open);
    closed
}

fn add_unit<'a>(
    changes: &mut Changes,
    unit: Unit,
    rows: &(impl Iterator<Item = &'a Attempt> + Clone),
    sign: i64,
    grains: &Grains,
) {
    let Some(first) = rows.clone().next() else { return };
    let count = |yes: bool| if yes { sign } else { 0 };
    let paid = rows.clone().any(|row| row.status.is_posted());
    let open = !paid && rows.clone().any(|row| !row.status.is_terminal());
    let ended = !paid && !open;
    let retried = rows.clone().nth(1).is_some();
    let amount = i128::from(first.amount) * i128::from(sign);
    let sums = ConversionSums {
        started: sign,
        submitted: count(paid || rows.clone().any(|row| row.submitted || row.authorized)),
        authorized: count(paid || rows.clone().any(|row| row.authorized)),
        paid: count(paid),
        open: count(open),
        paid_first_try: count(first.status.is_posted()),
        retried: count(retried),
        retried_paid: count(retried && paid && !first.status.is_posted()),
        abandoned: count(
            ended && rows.clone().all(|row| matches!(row.status, Status::Cancelled | Status::Expired)),
        ),
        failed_technical: count(ended && rows.clone().any(|row| row.technical)),
        started_amount: amount,
        // By the amount of the first attempt on both sides, so that a share by value stays within 0 and 1.
        paid_amount: if paid { amount } else { 0 },
        open_amount: if open { amount } else { 0 },
    };
    let (day, slot) = place(first, grains);
    let key = ConversionKey {
        unit,
        slot,
        provider: first.provider,
        method: first.method,
        scene: first.scene,
        promotion: first.promotion,
        currency: first.currency,
    };
    *changes.entry((first.store, day)).or_default().conversion.entry(key).or_default() += sums;
}

fn place(first: &Attempt, grains: &Grains) -> (NaiveDate, Slot) {
    let grain = grains.get(&first.store).copied().unwrap_or(Grain::Hour);
    Slot::of(instant_from_ms(first.created_ms), grain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(minute: i64, status: Status, method: &str) -> Attempt {
        Attempt {
            store: StoreId(1),
            group: 7,
            grouped: true,
            key: RecordKey { high: 0, low: u64::try_from(minute).unwrap() },
            created_ms: minute * 60_000,
            number: 0,
            status,
            submitted: reached_provider(status),
            authorized: status.is_posted(),
            technical: false,
            provider: Word::of(method),
            method: Word::of(method),
            scene: Word::NONE,
            promotion: Word::NONE,
            currency: Word::of("CNY"),
            amount: 100,
        }
    }

    fn totals(rows: Vec<Attempt>, unit: Unit) -> ConversionSums {
        let mut changes = Changes::default();
        add_conversion(&mut changes, rows, 1, &Grains::default());
        let mut total = ConversionSums::default();
        for block in changes.values() {
            for (key, sums) in &block.conversion {
                if key.unit == unit {
                    total += *sums;
                }
            }
        }
        total
    }

    #[test]
    fn a_retry_that_pays_is_one_payment_paid_by_retry() {
        let rows = vec![attempt(0, Status::Failed, "alipay"), attempt(2, Status::Succeeded, "alipay")];
        for unit in [Unit::Payment, Unit::AttemptGroup] {
            let sums = totals(rows.clone(), unit);
            assert_eq!((sums.started, sums.paid, sums.paid_first_try), (1, 1, 0));
            assert_eq!((sums.retried, sums.retried_paid), (1, 1));
            assert_eq!((sums.submitted, sums.authorized), (1, 1));
        }
    }

    #[test]
    fn a_change_of_method_is_a_new_attempt_group_of_the_same_payment() {
        let rows = vec![attempt(0, Status::Failed, "alipay"), attempt(2, Status::Succeeded, "wechat_pay")];
        assert_eq!(totals(rows.clone(), Unit::Payment).started, 1);
        let groups = totals(rows, Unit::AttemptGroup);
        assert_eq!((groups.started, groups.paid, groups.retried), (2, 1, 0));
    }

    #[test]
    fn attempts_far_apart_are_two_groups_then_two_payments() {
        let later = vec![attempt(0, Status::Failed, "card"), attempt(31, Status::Succeeded, "card")];
        assert_eq!(totals(later.clone(), Unit::AttemptGroup).started, 2);
        assert_eq!(totals(later, Unit::Payment).started, 1);
        let next_day =
            vec![attempt(0, Status::Failed, "card"), attempt(24 * 60 + 1, Status::Succeeded, "card")];
        assert_eq!(totals(next_day, Unit::Payment).started, 2);
    }

    #[test]
    fn open_and_abandoned_are_told_apart() {
        let open = totals(
            vec![attempt(0, Status::Failed, "card"), attempt(1, Status::Pending, "card")],
            Unit::Payment,
        );
        assert_eq!((open.open, open.abandoned, open.paid, open.open_amount), (1, 0, 0, 100));
        let left = totals(vec![attempt(0, Status::Expired, "card")], Unit::Payment);
        assert_eq!((left.open, left.abandoned, left.submitted), (0, 1, 0));
    }

    #[test]
    fn what_is_taken_out_again_leaves_nothing() {
        let rows = vec![attempt(0, Status::Failed, "alipay"), attempt(2, Status::Succeeded, "alipay")];
        let mut changes = Changes::default();
        add_conversion(&mut changes, rows.clone(), 1, &Grains::default());
        add_conversion(&mut changes, rows, -1, &Grains::default());
        let mut block = super::super::DayBlock::default();
        for change in changes.values() {
            block.apply(change);
        }
        assert!(block.is_empty());
    }
}
