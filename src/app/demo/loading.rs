use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::history::{Bundle, History};
use crate::domain::{CheckoutEvent, Transaction, Word};
use crate::intake::{Intake, IntakeError, Pseudonyms};

/// Rows of one call to intake.
const CALL_ROWS_MAX: usize = 10_000;
/// Days that may be made ahead of their being taken in.
const DAYS_AHEAD: usize = 3;

/// Makes what is left of a history on a thread of its own, a few days ahead. The task ends with the history.
pub fn make_ahead(mut history: History) -> (mpsc::Receiver<Bundle>, JoinHandle<History>) {
    let (sender, receiver) = mpsc::channel(DAYS_AHEAD);
    let task = tokio::task::spawn_blocking(move || {
        for bundle in history.by_ref() {
            if sender.blocking_send(bundle).is_err() {
                break;
            }
        }
        history
    });
    (receiver, task)
}

/// Takes bundles through the one door that every record goes through, in batches.
pub struct Loader<'a> {
    intake: &'a Intake,
    pseudonyms: &'a Pseudonyms,
    transactions: Vec<Transaction>,
    events: Vec<CheckoutEvent>,
    /// Rows that are durable.
    pub loaded: usize,
}

impl<'a> Loader<'a> {
    pub const fn new(intake: &'a Intake, pseudonyms: &'a Pseudonyms) -> Self {
        Self { intake, pseudonyms, transactions: Vec::new(), events: Vec::new(), loaded: 0 }
    }

    /// Takes the records of a bundle; the last ones wait for [`Loader::finish`]. Bills are left to the importer.
    ///
    /// # Errors
    /// [`IntakeError`].
    pub async fn take(&mut self, bundle: Bundle) -> Result<(), IntakeError> {
        for mut record in bundle.transactions {
            record.customer = record.customer.map(|raw| self.pseudonyms.of("customer", "", &raw));
            record.payment_fingerprint =
                record.payment_fingerprint.map(|raw| self.pseudonyms.of("payment_fingerprint", "", &raw));
            self.transactions.push(record);
        }
        for mut event in bundle.checkout_events {
            event.visitor = event.visitor.map(|raw| self.pseudonyms.of("visitor", "", &raw));
            self.events.push(event);
        }
        if self.transactions.len() >= CALL_ROWS_MAX {
            self.send_transactions().await?;
        }
        if self.events.len() >= CALL_ROWS_MAX {
            self.send_events().await?;
        }
        Ok(())
    }

    /// Sends what still waits.
    ///
    /// # Errors
    /// [`IntakeError`].
    pub async fn finish(&mut self) -> Result<(), IntakeError> {
        self.send_transactions().await?;
        self.send_events().await
    }

    async fn send_transactions(&mut self) -> Result<(), IntakeError> {
        while !self.transactions.is_empty() {
            let rest = self.transactions.split_off(self.transactions.len().min(CALL_ROWS_MAX));
            let rows = std::mem::replace(&mut self.transactions, rest);
            // The live client goes on through the API: the same feed, or its rows would be mere witnesses.
            self.loaded += self.intake.accept_transactions(Word::of("api"), rows).await?.rows;
        }
        Ok(())
    }

    async fn send_events(&mut self) -> Result<(), IntakeError> {
        while !self.events.is_empty() {
            let rest = self.events.split_off(self.events.len().min(CALL_ROWS_MAX));
            let rows = std::mem::replace(&mut self.events, rest);
            self.loaded += self.intake.accept_checkout_events(Word::of("api"), rows).await?.rows;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::super::history::Outline;
    use super::super::installation;
    use super::*;
    use crate::analytics::SnapshotCell;
    use crate::domain::{Clock, StoreId, Stream, SystemClock};
    use crate::jobs::{Fold, JobContext, Runner};
    use crate::lake::Lake;
    use crate::store::{Database, InboxWriter};
    use crate::telemetry::Metrics;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_loaded_history_is_in_the_snapshot_to_the_row() {
        let days: u64 = 2;
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("t.db")).await.unwrap();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let (writer, _task) = InboxWriter::start(database.clone());
        let metrics = Arc::new(Metrics::new().unwrap());
        let intake = Intake::new(database.clone(), writer, Arc::clone(&clock), Arc::clone(&metrics));
        let stores = installation::add_stores(&database, clock.now()).await.unwrap();
        let context = JobContext {
            database: database.clone(),
            clock,
            snapshots: Arc::new(SnapshotCell::default()),
            metrics,
        };
        let mut runner = Runner::new(context.clone());
        runner.spawn(Fold::new(Lake::open(&folder.path().join("lake")).unwrap()));

        let until = "2026-11-25T06:30:00Z".parse().unwrap();
        assert_eq!(stores, [StoreId(1), StoreId(2), StoreId(3)]);
        let (mut bundles, made) = make_ahead(History::of(Outline { seed: 1, days, until, stores }));
        let pseudonyms = Arc::new(Pseudonyms::new([7; 32]));
        let mut loader = Loader::new(&intake, &pseudonyms);
        let (mut transactions, mut events) = (0, 0);
        let mut billed = 0;
        while let Some(mut bundle) = bundles.recv().await {
            for bill in std::mem::take(&mut bundle.bills) {
                installation::import_bill(&intake, &database, &pseudonyms, folder.path(), &bill)
                    .await
                    .unwrap();
                billed += 1;
            }
            transactions += bundle.transactions.len();
            events += bundle.checkout_events.len();
            loader.take(bundle).await.unwrap();
        }
        loader.finish().await.unwrap();
        made.await.unwrap();
        while database.inbox_backlog().await.unwrap().batches > 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        runner.stop(Duration::from_secs(5)).await;

        let snapshot = context.snapshots.current();
        let rows = |stream: Stream| -> u64 {
            let of_stream = snapshot.files.iter().filter(|((of, _), _)| *of == stream);
            of_stream.flat_map(|(_, files)| files).map(|file| file.rows).sum()
        };
        assert_eq!(rows(Stream::Transactions), u64::try_from(transactions).unwrap());
        assert_eq!(rows(Stream::CheckoutEvents), u64::try_from(events).unwrap());
        assert_eq!(loader.loaded, transactions + events);
        assert!(billed > 3 && rows(Stream::LedgerLines) > 1_500, "{}", rows(Stream::LedgerLines));
    }
}
