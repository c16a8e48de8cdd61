//! Who pays, and how far shoppers come: distinct counts, which no sum of cells can give.

use std::collections::HashMap;

use crate::domain::{Instant, Range, STEPS, Status, Step, StoreId, Stream, instant_from_ms};
use crate::lake::{Frame, FrameError, Lake, LakeError};

use super::scan::{Scan, files_of, filter_rows, stores_of};
use super::snapshot::Snapshot;

/// Paying customers of a period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CustomerCounts {
    /// Distinct customer references with at least one payment.
    pub paying: i64,
    /// Those with two payments or more.
    pub paying_more_than_once: i64,
    /// Payments that name a customer.
    pub payments_with_reference: i64,
    /// Payments that name none: whose, nobody knows.
    pub payments_without_reference: i64,
}

/// Sessions of a period, counted at the step they reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FunnelCounts {
    /// Sessions with any event.
    pub sessions: i64,
    /// Sessions that took this step, in the order of [`STEPS`].
    pub took: Vec<(Step, i64)>,
    /// Sessions that took this step of the main way or a later one.
    pub reached: Vec<(Step, i64)>,
}

/// The steps a session goes through on its way to a purchase, in order.
pub const MAIN_WAY: [Step; 7] = [
    Step::ViewItem,
    Step::AddToCart,
    Step::BeginCheckout,
    Step::AddShippingInfo,
    Step::AddPaymentInfo,
    Step::PaymentAttempt,
    Step::Purchase,
];

const CUSTOMER_COLUMNS: [&str; 18] = [
    "witness",
    "test",
    "store",
    "kind",
    "status",
    "created_ms",
    "completed_ms",
    "customer",
    "provider",
    "method",
    "scene",
    "operator",
    "promotion",
    "attribute_key",
    "attribute_value",
    "item_category",
    "currency",
    "account",
];

const EVENT_COLUMNS: [&str; 6] = ["witness", "test", "store", "time_ms", "session_id", "step"];

/// Distinct paying customers, by the cash clock (completed, else created).
///
/// # Errors
/// The first file that cannot be read.
pub fn customer_counts(lake: &Lake, snapshot: &Snapshot, scan: &Scan) -> Result<CustomerCounts, LakeError> {
    let mut payments: HashMap<String, i64> = HashMap::new();
    let mut counts = CustomerCounts::default();
    let stores = stores_of(scan).into_iter().collect();
    for (stream, file) in files_of(snapshot, scan, &[Stream::Transactions]) {
        let rows = lake.read_stores(&file, Some(&CUSTOMER_COLUMNS), &stores)?;
        let rows = filter_rows(&rows, &scan.filter, &stores_of(scan), stream)?;
        for customer in paying_rows(&rows, &scan.ranges)? {
            match customer {
                Some(customer) => {
                    counts.payments_with_reference += 1;
                    *payments.entry(customer).or_default() += 1;
                }
                None => counts.payments_without_reference += 1,
            }
        }
    }
    counts.paying = i64::try_from(payments.len()).unwrap_or(i64::MAX);
    counts.paying_more_than_once =
        i64::try_from(payments.values().filter(|count| **count > 1).count()).unwrap_or(i64::MAX);
    Ok(counts)
}

/// The customer of each counted payment that was paid inside its store's span.
fn paying_rows(rows: &Frame, ranges: &[(StoreId, Range)]) -> Result<Vec<Option<String>>, FrameError> {
    let data = rows.data();
    let (store, created) = (data.column("store")?.i64()?, data.column("created_ms")?.i64()?);
    let completed = data.column("completed_ms")?.i64()?;
    let (kind, status) = (data.column("kind")?.str()?, data.column("status")?.str()?);
    let (witness, test) = (data.column("witness")?.bool()?, data.column("test")?.bool()?);
    let customer = data.column("customer")?.str()?;
    let mut found = Vec::new();
    for row in 0..data.height() {
        let posted = status.get(row).and_then(Status::parse).is_some_and(Status::is_posted);
        let counted = witness.get(row) != Some(true) && test.get(row) != Some(true);
        let at = instant_from_ms(completed.get(row).or(created.get(row)).unwrap_or(0));
        if counted && posted && kind.get(row) == Some("payment") && inside(ranges, store.get(row), at) {
            found.push(customer.get(row).map(str::to_owned));
        }
    }
    Ok(found)
}

fn inside(ranges: &[(StoreId, Range)], store: Option<i64>, at: Instant) -> bool {
    store.is_some_and(|store| ranges.iter().any(|(id, range)| id.0 == store && range.contains(at)))
}

/// How many sessions took and reached each step. A session counts by its events inside the span.
///
/// # Errors
/// The first file that cannot be read.
pub fn funnel_counts(lake: &Lake, snapshot: &Snapshot, scan: &Scan) -> Result<FunnelCounts, LakeError> {
    let mut sessions: HashMap<(i64, String), u16> = HashMap::new();
    let stores = stores_of(scan).into_iter().collect();
    for (_, file) in files_of(snapshot, scan, &[Stream::CheckoutEvents]) {
        add_sessions(&mut sessions, &lake.read_stores(&file, Some(&EVENT_COLUMNS), &stores)?, &scan.ranges)?;
    }
    let count = |test: &dyn Fn(u16) -> bool| {
        i64::try_from(sessions.values().filter(|steps| test(**steps)).count()).unwrap_or(i64::MAX)
    };
    let bit = |step: Step| 1_u16 << STEPS.iter().position(|of| *of == step).unwrap_or(15);
    let took = STEPS.iter().map(|step| (*step, count(&|steps| steps & bit(*step) != 0))).collect();
    let reached = MAIN_WAY
        .iter()
        .enumerate()
        .map(|(place, step)| {
            let from_here = MAIN_WAY[place..].iter().fold(0, |bits, later| bits | bit(*later));
            (*step, count(&|steps| steps & from_here != 0))
        })
        .collect();
    Ok(FunnelCounts { sessions: count(&|_| true), took, reached })
}

fn add_sessions(
    sessions: &mut HashMap<(i64, String), u16>,
    rows: &Frame,
    ranges: &[(StoreId, Range)],
) -> Result<(), FrameError> {
    let data = rows.data();
    let (store, time) = (data.column("store")?.i64()?, data.column("time_ms")?.i64()?);
    let (session, step) = (data.column("session_id")?.str()?, data.column("step")?.str()?);
    let test = data.column("test")?.bool()?;
    for row in 0..data.height() {
        let at = instant_from_ms(time.get(row).unwrap_or(0));
        if test.get(row) == Some(true) || !inside(ranges, store.get(row), at) {
            continue;
        }
        let (Some(session), Some(step)) = (session.get(row), step.get(row).and_then(Step::parse)) else {
            continue;
        };
        let place = STEPS.iter().position(|of| *of == step).unwrap_or(15);
        *sessions.entry((store.get(row).unwrap_or(0), session.to_owned())).or_default() |= 1 << place;
    }
    Ok(())
}
