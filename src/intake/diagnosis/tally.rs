use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::NaiveDate;

use super::super::accept::ACCOUNT_BILL;
use super::super::bills::{RejectCode, RejectedLine};
use super::findings::{AccountFound, Diagnosis, KindSum, RejectedFound, SampleRow, Warning};
use super::shift::{PROBES_MAX, Probe};
use crate::domain::{
    Currency, Direction, Instant, Kind, LedgerKind, LedgerLine, RecordKey, Stream, Transaction, Word,
    row_hash,
};
use crate::lake::StreamRecord;

/// Rows shown as they will be read.
pub const SAMPLE_ROWS_MAX: usize = 20;
/// Merchant accounts that are named; a bill has one, a chain's a few.
const ACCOUNTS_NAMED_MAX: usize = 50;
/// Rows whose identities are kept to look for them among what is known.
pub const KEYS_MAX: usize = 200_000;
/// Characters of an id that are shown.
const ID_CHARS_MAX: usize = 16;
/// Characters of a long id that are shown at either end.
const ID_END_CHARS: usize = 7;

/// Identities of a file's rows.
#[derive(Debug, Default)]
pub struct Keys {
    /// How many rows.
    pub rows: usize,
    /// By stream and UTC day: the identity, and the row's number and hash of its content.
    pub days: HashMap<(Stream, NaiveDate), HashMap<RecordKey, (usize, u64)>>,
}

/// Sums up rows as they are read.
#[derive(Debug, Default)]
pub struct Tally {
    sums: BTreeMap<(String, &'static str), (Currency, Sum)>,
    sample: Vec<SampleRow>,
    rejected: BTreeMap<&'static str, RejectedFound>,
    accounts: BTreeSet<AccountFound>,
    keys: Keys,
    probes: Vec<Probe>,
    keys_overflown: bool,
    records: u64,
    witnesses: u64,
}

#[derive(Debug, Default)]
struct Sum {
    count: u64,
    gross: i128,
    fee: Option<i128>,
    net: Option<i128>,
}

impl Sum {
    fn add(&mut self, gross: i64, fee: Option<i64>, net: Option<i64>) {
        self.count += 1;
        self.gross += i128::from(gross);
        for (sum, value) in [(&mut self.fee, fee), (&mut self.net, net)] {
            if let Some(value) = value {
                *sum = Some(sum.unwrap_or(0) + i128::from(value));
            }
        }
    }
}

impl Tally {
    /// A line of a bill that will be counted, or kept as a witness.
    pub fn add_ledger_line(&mut self, row: &LedgerLine, witness: bool) {
        if witness {
            self.witnesses += 1;
        } else {
            self.records += 1;
            self.sum(row.kind.as_str(), row.currency).add(row.gross, row.fee, row.net);
        }
        self.note_account(row.provider, &row.account);
        if row.kind == LedgerKind::Payment {
            let ids = [row.provider_transaction_id.as_deref(), row.order_id.as_deref()];
            self.note_probe(row.completed_at.unwrap_or(row.posted_at), ids);
        }
        let key = if witness { row.key().as_witness_of(ACCOUNT_BILL) } else { row.key() };
        self.note_key(Stream::LedgerLines, row.posted_at.date_naive(), &[key], || row_hash(row));
        if self.sample.len() < SAMPLE_ROWS_MAX {
            self.sample.push(SampleRow {
                line: row.line_number,
                kind: row.kind.as_str().to_owned(),
                status: row.status.as_str().to_owned(),
                at: row.posted_at,
                method: word(row.method),
                id: shortened(row.provider_transaction_id.as_deref().unwrap_or(&row.line_id)),
                order: shortened(row.order_id.as_deref().unwrap_or_default()),
                currency: row.currency,
                amount: if row.direction == Direction::Out { -row.gross } else { row.gross },
                fee: row.fee,
                net: row.net,
                shopper: row.customer.is_some(),
                witness,
            });
        }
    }

    /// A transaction that will be taken in.
    pub fn add_transaction(&mut self, row: &Transaction) {
        self.records += 1;
        let (currency, amount) = (row.amount.currency(), row.amount.minor());
        // What failed moved nothing; it is a record and no money.
        let gross = if row.status.is_posted() { amount } else { 0 };
        self.sum(row.kind.as_str(), currency).add(gross, row.fee, None);
        self.note_account(row.provider, &row.account);
        if row.kind == Kind::Payment {
            let ids = [row.provider_transaction_id.as_deref(), row.order_id.as_deref()];
            self.note_probe(row.completed_at.unwrap_or(row.created_at), ids);
        }
        let keys = [row.key(), row.key().as_witness_of(super::FEED)];
        self.note_key(Stream::Transactions, row.created_at.date_naive(), &keys, || row_hash(row));
        if self.sample.len() < SAMPLE_ROWS_MAX {
            let out = matches!(row.kind, Kind::Refund | Kind::Dispute);
            self.sample.push(SampleRow {
                line: None,
                kind: row.kind.as_str().to_owned(),
                status: row.status.as_str().to_owned(),
                at: row.created_at,
                method: word(row.method),
                id: shortened(&row.transaction_id),
                order: shortened(row.order_id.as_deref().unwrap_or_default()),
                currency,
                amount: if out { -amount } else { amount },
                fee: row.fee,
                net: None,
                shopper: row.customer.is_some(),
                witness: false,
            });
        }
    }

    /// A line that is not taken.
    pub fn add_rejected(&mut self, line: &RejectedLine) {
        let found = self.rejected.entry(line.code.as_str()).or_insert_with(|| RejectedFound {
            code: line.code.as_str().to_owned(),
            count: 0,
            line: line.line,
            field: line.field.clone(),
            sentence: line.sentence.clone(),
        });
        found.count += 1;
    }

    /// Writes what was found into the diagnosis; gives the identities, unless there were too many to keep.
    pub fn finish(self, diagnosis: &mut Diagnosis) -> Option<Keys> {
        let lines = |code: RejectCode| self.rejected.get(code.as_str()).map(|found| found.count);
        if let Some(lines) = lines(RejectCode::SecondsMissing) {
            diagnosis.warnings.push(Warning::SecondsMissing { lines });
        }
        if let Some(lines) = lines(RejectCode::InTheFuture) {
            diagnosis.warnings.push(Warning::InTheFuture { lines });
        }
        let counted = diagnosis.lines;
        if counted.rejected > counted.accepted {
            diagnosis.warnings.push(Warning::MostlyRejected);
        }
        if diagnosis.refusal.is_none() && counted.accepted == 0 && counted.rejected == 0 {
            diagnosis.warnings.push(Warning::NoTrades);
        }
        diagnosis.records = self.records;
        diagnosis.witnesses = self.witnesses;
        diagnosis.sums = self
            .sums
            .into_iter()
            .map(|((kind, _), (currency, sum))| KindSum {
                kind,
                currency,
                count: sum.count,
                gross: sum.gross,
                fee: sum.fee,
                net: sum.net,
            })
            .collect();
        diagnosis.sample = self.sample;
        diagnosis.rejected = self.rejected.into_values().collect();
        diagnosis.accounts = self.accounts.into_iter().collect();
        (!self.keys_overflown).then_some(self.keys)
    }

    fn sum(&mut self, kind: &str, currency: Currency) -> &mut Sum {
        let entry = self.sums.entry((kind.to_owned(), currency.code()));
        &mut entry.or_insert_with(|| (currency, Sum::default())).1
    }

    fn note_probe(&mut self, at: Instant, ids: [Option<&str>; 2]) {
        if self.probes.len() < PROBES_MAX {
            let ids = ids.into_iter().flatten().map(str::to_owned).collect();
            self.probes.push(Probe { ids, at });
        }
    }

    /// The payments whose times can be compared with what is known of them.
    pub fn take_probes(&mut self) -> Vec<Probe> {
        std::mem::take(&mut self.probes)
    }

    fn note_account(&mut self, provider: Option<Word>, account: &str) {
        // Nearly every row is of an account that stands there already.
        let provider = word(provider);
        let is_known =
            self.accounts.iter().any(|known| known.account == account && known.provider == provider);
        if !is_known && self.accounts.len() < ACCOUNTS_NAMED_MAX {
            self.accounts.insert(AccountFound { provider, account: account.to_owned() });
        }
    }

    /// Keeps the identities that a row may have: its own, and what it is called where another feed is the record.
    fn note_key(&mut self, stream: Stream, day: NaiveDate, keys: &[RecordKey], hash: impl FnOnce() -> u64) {
        if self.keys_overflown {
            return;
        }
        if self.keys.rows >= KEYS_MAX {
            self.keys_overflown = true;
            self.keys = Keys::default();
            return;
        }
        let (row, hash) = (self.keys.rows, hash());
        self.keys.rows += 1;
        let of_day = self.keys.days.entry((stream, day)).or_default();
        of_day.extend(keys.iter().map(|key| (*key, (row, hash))));
    }
}

fn word(word: Option<Word>) -> String {
    word.map(|word| word.as_str().to_owned()).unwrap_or_default()
}

/// An id that can be compared by eye and does not widen a table.
fn shortened(id: &str) -> String {
    let chars: Vec<char> = id.chars().collect();
    if chars.len() <= ID_CHARS_MAX {
        return id.to_owned();
    }
    let head: String = chars.iter().take(ID_END_CHARS).collect();
    let tail: String = chars.iter().skip(chars.len() - ID_END_CHARS).collect();
    format!("{head}…{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_id_keeps_both_its_ends() {
        assert_eq!(shortened("4200001234"), "4200001234");
        assert_eq!(shortened("4200000123202611201234567890"), "4200000…4567890");
    }
}
