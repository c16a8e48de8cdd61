//! Payments that are neither paid nor failed, from the rows of those days only that may have such.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use chrono::NaiveDate;

use crate::domain::{Kind, Status, StoreId, Stream};
use crate::lake::{FileSet, Frame, FrameError, Lake, LakeError, LakeFile};

use super::rows::{LINE_COLUMNS, TransactionLine, transaction_lines};
use super::scan::masked;
use super::snapshot::Snapshot;

/// Open payments that are looked at, the oldest first.
pub const OPEN_PAYMENTS_MAX: usize = 20_000;

/// What says whether a row is an open payment that counts.
const STATE_COLUMNS: [&str; 5] = ["store", "kind", "status", "witness", "test"];
/// What says whether its order was paid by another attempt.
const PAID_COLUMNS: [&str; 6] = ["store", "kind", "status", "witness", "order_id", "payment_id"];

/// Open payments, by day of creation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenPayments {
    pub lines: Vec<TransactionLine>,
    /// There are more, younger ones.
    pub is_cut: bool,
}

/// The counted payments of these stores, created on one of these UTC days, that have no final status and whose order was
/// not paid by another attempt on one of these days either.
///
/// # Errors
/// The first file that cannot be read.
pub fn open_payments(
    lake: &Lake,
    snapshot: &Snapshot,
    stores: &BTreeSet<StoreId>,
    days: &BTreeSet<NaiveDate>,
) -> Result<OpenPayments, LakeError> {
    let files = files_of(snapshot, days);
    let mut open = OpenPayments::default();
    for file in &files {
        if open.lines.len() >= OPEN_PAYMENTS_MAX {
            open.is_cut = true;
            break;
        }
        let state = lake.read_stores(file, Some(&STATE_COLUMNS), stores)?;
        let mask = open_rows(&state, stores)?;
        if mask.contains(&true) {
            let rows = lake.read_stores(file, Some(&LINE_COLUMNS), stores)?;
            open.lines.extend(transaction_lines(&masked(&rows, &mask)?)?);
        }
    }
    let paid = paid_orders(lake, &files, stores, &open.lines)?;
    let is_paid =
        |line: &TransactionLine| ids_of(line).any(|id| paid.contains(&(line.store.0, id.to_owned())));
    open.lines.retain(|line| !is_paid(line));
    open.lines.sort_by_key(|line| (line.created_at, line.key));
    Ok(open)
}

fn files_of(snapshot: &Snapshot, days: &BTreeSet<NaiveDate>) -> Vec<Arc<LakeFile>> {
    let wanted = |place: &(Stream, NaiveDate)| place.0 == Stream::Transactions && days.contains(&place.1);
    let current = |file: &&Arc<LakeFile>| file.file_set == FileSet::Current;
    snapshot
        .files
        .iter()
        .filter(|(place, _)| wanted(place))
        .flat_map(|(_, files)| files.iter().filter(current).cloned())
        .collect()
}

fn is_payment(kind: Option<&str>) -> bool {
    matches!(kind.and_then(Kind::parse), Some(Kind::Payment | Kind::TopUp))
}

fn open_rows(rows: &Frame, stores: &BTreeSet<StoreId>) -> Result<Vec<bool>, FrameError> {
    let data = rows.data();
    let (store, kind, status) =
        (data.column("store")?.i64()?, data.column("kind")?.str()?, data.column("status")?.str()?);
    let (witness, test) = (data.column("witness")?.bool()?, data.column("test")?.bool()?);
    Ok((0..rows.rows())
        .map(|row| {
            store.get(row).is_some_and(|store| stores.contains(&StoreId(store)))
                && is_payment(kind.get(row))
                && status.get(row).and_then(Status::parse).is_some_and(|status| !status.is_terminal())
                && witness.get(row) == Some(false)
                && test.get(row) == Some(false)
        })
        .collect())
}

fn ids_of(line: &TransactionLine) -> impl Iterator<Item = &str> {
    [line.payment_id.as_deref(), line.order_id.as_deref()].into_iter().flatten()
}

/// Orders and payments of open lines that another row says are paid.
fn paid_orders(
    lake: &Lake,
    files: &[Arc<LakeFile>],
    stores: &BTreeSet<StoreId>,
    lines: &[TransactionLine],
) -> Result<HashSet<(i64, String)>, LakeError> {
    let open: HashSet<(i64, &str)> =
        lines.iter().flat_map(|line| ids_of(line).map(|id| (line.store.0, id))).collect();
    let mut paid = HashSet::new();
    if open.is_empty() {
        return Ok(paid);
    }
    for file in files {
        let rows = lake.read_stores(file, Some(&PAID_COLUMNS), stores)?;
        add_paid(&rows, &open, &mut paid)?;
    }
    Ok(paid)
}

fn add_paid(
    rows: &Frame,
    open: &HashSet<(i64, &str)>,
    paid: &mut HashSet<(i64, String)>,
) -> Result<(), FrameError> {
    let data = rows.data();
    let (store, kind, status) =
        (data.column("store")?.i64()?, data.column("kind")?.str()?, data.column("status")?.str()?);
    let witness = data.column("witness")?.bool()?;
    let (order, payment) = (data.column("order_id")?.str()?, data.column("payment_id")?.str()?);
    for row in 0..rows.rows() {
        let posted = status.get(row).and_then(Status::parse).is_some_and(Status::is_posted);
        if !posted || !is_payment(kind.get(row)) || witness.get(row) != Some(false) {
            continue;
        }
        let Some(store) = store.get(row) else { continue };
        for id in [order.get(row), payment.get(row)].into_iter().flatten() {
            if open.contains(&(store, id)) {
                paid.insert((store, id.to_owned()));
            }
        }
    }
    Ok(())
}
