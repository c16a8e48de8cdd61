use anyhow::Context;

use crate::lake::decode_batch;

use super::checkup::Checkup;
use super::{Hears, Patient, Progress};

/// Batches that are looked at; more waiting is a finding of its own.
const BATCHES_MAX: i64 = 100_000;

/// Every waiting batch can be decoded and holds as many rows as it says.
pub(super) async fn examine(
    checkup: &mut Checkup,
    patient: &Patient<'_>,
    hears: &Hears,
) -> anyhow::Result<()> {
    let waiting = patient.database.waiting_batches(BATCHES_MAX).await.context("listing the inbox")?;
    let of = u64::try_from(waiting.len())?;
    let mut bad = 0;
    for (batch, done) in waiting.iter().zip(1..) {
        hears(Progress { check: "inbox", done, of });
        let read = patient.database.read_batch(batch.seq).await;
        if read.is_err() && patient.running && !still_waits(patient, batch.seq).await? {
            // Folded and purged meanwhile, beside a running server.
            continue;
        }
        let fault = match read.map_err(anyhow::Error::new).and_then(|bytes| Ok(decode_batch(&bytes)?)) {
            Ok(rows) if u64::try_from(rows.rows())? == batch.rows => continue,
            Ok(rows) => format!("holds {} rows where {} were received", rows.rows(), batch.rows),
            Err(error) => format!("cannot be decoded: {error:#}"),
        };
        bad += 1;
        checkup.found(
            "inbox",
            format!("batch {} of {} (received {}) {fault}", batch.seq, batch.stream.as_str(), batch.received_at),
            format!("{} records that were acknowledged are on no page", batch.rows),
            "keep it: run `tillwatch repair` with a newer program, or restore a backup and ask the sender for them again",
        );
    }
    let held =
        patient.database.held_batches(BATCHES_MAX).await.context("listing batches that were set aside")?;
    for batch in &held {
        checkup.found(
            "inbox",
            format!("batch {} of {} was set aside: {}", batch.seq, batch.stream.as_str(), batch.reason),
            format!("{} records that were acknowledged are on no page", batch.rows),
            "run `tillwatch repair`: it lets the batch be tried again; if it is held again, keep it and use a newer program",
        );
    }
    if bad == 0 && held.is_empty() {
        checkup.well("inbox", format!("{of} batches wait, every one can be decoded"));
    }
    Ok(())
}

async fn still_waits(patient: &Patient<'_>, seq: i64) -> anyhow::Result<bool> {
    let waiting = patient.database.waiting_batches(BATCHES_MAX).await.context("listing the inbox")?;
    Ok(waiting.iter().any(|batch| batch.seq == seq))
}
