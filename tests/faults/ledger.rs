//! The oracle: what was sent and what was acknowledged, kept where the server cannot reach it.
//!
//! Rows are numbered: batch 7 is the rows `7 × rows_per_batch …` and nothing else, for ever, so that a batch can be
//! sent again byte for byte and the whole history of a run is a few bytes per batch.

use std::fmt::Write;
use std::sync::{Mutex, MutexGuard};

use chrono::{DateTime, TimeDelta, Utc};
use tillwatch::domain::{Clock, SystemClock};

use crate::dice::{Dice, mix};

/// Days over which rows are spread, so that a fold touches several partitions; few where folds are slow.
const DAYS: u64 = if cfg!(debug_assertions) { 3 } else { 20 };
/// One batch in so many that are sent was acknowledged before: it must change nothing.
const REPEAT_ONE_IN: u64 = 20;

/// What all senders did, over all lives of the server.
pub struct Ledger {
    pub rows_per_batch: usize,
    /// The youngest day of the rows; fixed, for the day is a part of a row's identity.
    first_day: DateTime<Utc>,
    state: Mutex<State>,
}

#[derive(Clone, Default)]
struct State {
    /// By batch: true once its answer came. Every batch in the list was sent.
    acknowledged: Vec<bool>,
    /// Sent and not answered: to be sent again, as a sender should.
    unanswered: Vec<usize>,
    /// Answers to batches that had been acknowledged before.
    repeats: u64,
}

/// The acknowledgements at one instant.
pub struct Mark(State);

impl Ledger {
    pub fn new(rows_per_batch: usize) -> Self {
        let first_day = SystemClock.now() - TimeDelta::hours(1);
        Self { rows_per_batch, first_day, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// The next batch to send: an unanswered one, now and then one that was acknowledged already, else a new one.
    pub fn next_batch(&self, dice: &mut Dice) -> usize {
        let mut state = self.state();
        if let Some(again) = state.unanswered.pop() {
            return again;
        }
        if dice.one_in(REPEAT_ONE_IN) && !state.acknowledged.is_empty() {
            let batch = usize::try_from(dice.below(state.acknowledged.len() as u64)).unwrap();
            if state.acknowledged[batch] {
                return batch;
            }
        }
        state.acknowledged.push(false);
        state.acknowledged.len() - 1
    }

    pub fn answered(&self, batch: usize) {
        let mut state = self.state();
        state.repeats += u64::from(state.acknowledged[batch]);
        state.acknowledged[batch] = true;
    }

    /// No whole answer came: the batch is there or not, and is sent again.
    pub fn unanswered(&self, batch: usize) {
        let mut state = self.state();
        if !state.acknowledged[batch] {
            state.unanswered.push(batch);
        }
    }

    pub fn acknowledged_rows(&self) -> u64 {
        let batches = self.state().acknowledged.iter().filter(|acknowledged| **acknowledged).count();
        (batches * self.rows_per_batch) as u64
    }

    pub fn repeats(&self) -> u64 {
        self.state().repeats
    }

    /// By batch, in order: was it acknowledged?
    pub fn standing(&self) -> Vec<bool> {
        self.state().acknowledged.clone()
    }

    /// What was acknowledged up to now, to go back to.
    pub fn mark(&self) -> Mark {
        Mark(self.state().clone())
    }

    /// After a power cut: answers since the mark promise nothing about the disk as it was then. Those batches, and all
    /// that were unanswered, are sent again.
    pub fn back_to(&self, mark: &Mark) {
        let mut state = self.state();
        for batch in 0..state.acknowledged.len() {
            state.acknowledged[batch] = mark.0.acknowledged.get(batch).copied().unwrap_or(false);
        }
        state.unanswered =
            (0..state.acknowledged.len()).filter(|batch| !state.acknowledged[*batch]).collect();
    }

    /// The body of a batch: lines of JSON.
    pub fn body(&self, batch: usize) -> String {
        let mut lines = String::with_capacity(self.rows_per_batch * 210);
        for place in 0..self.rows_per_batch {
            let row = self.row(batch, place);
            let at = self.first_day - TimeDelta::days(i64::try_from(batch as u64 % DAYS).unwrap());
            writeln!(
                lines,
                "{{\"transaction_id\":\"{}\",\"created_at\":\"{}\",\"status\":\"succeeded\",\"amount\":{},\
                 \"currency\":\"CNY\",\"provider\":\"alipay\",\"method\":\"{}\",\"order_id\":\"o{row}\"}}",
                id_of(row),
                at.format("%Y-%m-%dT%H:%M:%SZ"),
                amount_of(row),
                ["alipay", "wechat_pay", "card"][row % 3],
            )
            .unwrap();
        }
        lines
    }

    const fn row(&self, batch: usize, place: usize) -> usize {
        batch * self.rows_per_batch + place
    }
}

/// Letters and the number: so many random digits would now and then be taken for a card number, and refused.
pub fn id_of(row: usize) -> String {
    let scrambled = mix(row as u64);
    let mut id: String = (0..12)
        .map(|place| char::from(b'a' + u8::try_from(scrambled >> (4 * place) & 15).unwrap()))
        .collect();
    write!(id, "-{row}").unwrap();
    id
}

/// The number of a row, when this is the id of one.
pub fn row_of(id: &str) -> Option<usize> {
    let row = id.split_once('-')?.1.parse().ok()?;
    (id_of(row) == id).then_some(row)
}

/// In minor units; different from row to row, so that sums tell.
pub fn amount_of(row: usize) -> i64 {
    i64::try_from(mix(row as u64 ^ 0xa5a5) % 1_000_000).unwrap()
}

#[test]
fn a_row_is_known_by_its_id_and_no_other_text_is() {
    assert_eq!(row_of(&id_of(123_456)), Some(123_456));
    assert_eq!(row_of("aaaaaaaaaaaa-123456"), None);
    let ledger = Ledger::new(3);
    assert_eq!(ledger.body(4), ledger.body(4));
    assert_eq!(ledger.body(4).lines().count(), 3);
}

#[test]
fn after_a_power_cut_only_what_was_answered_before_is_acknowledged() {
    let (ledger, mut dice) = (Ledger::new(10), Dice::new(1));
    let first = ledger.next_batch(&mut dice);
    ledger.answered(first);
    let mark = ledger.mark();
    // Two more are sent; one is answered too late to count.
    ledger.state().acknowledged.extend([true, false]);
    ledger.back_to(&mark);
    assert_eq!(ledger.standing(), [true, false, false]);
    assert_eq!(ledger.acknowledged_rows(), 10);
    let again = [ledger.next_batch(&mut dice), ledger.next_batch(&mut dice)];
    assert_eq!(again, [2, 1]);
}
