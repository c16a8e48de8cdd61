use crate::domain::{CheckoutEvent, LedgerLine, Stored, Text, Transaction};
use crate::lake::{Rows, StreamRecord};
use crate::telemetry::Arrival;

/// What the door asks of a record, whatever its texts are.
pub trait Arriving: StreamRecord {
    /// True where an account has one source of record, and rows of others are mere witnesses.
    const HAS_SOURCE: bool;

    /// What the metrics want to know.
    fn arrival(&self) -> Arrival;
}

/// A record that the door lets in.
pub trait Received: Arriving + Send + Sync + 'static {
    /// Rows of its stream.
    fn rows(stored: Vec<Stored<Self>>) -> Rows;
}

impl<T: Text> Arriving for Transaction<T> {
    const HAS_SOURCE: bool = true;

    fn arrival(&self) -> Arrival {
        Arrival {
            provider: self.provider,
            kind: self.kind.as_str(),
            told_at: self.updated_at.or(self.completed_at).unwrap_or(self.created_at),
            live: true,
        }
    }
}

impl<T: Text> Arriving for LedgerLine<T> {
    const HAS_SOURCE: bool = false;

    fn arrival(&self) -> Arrival {
        Arrival { provider: self.provider, kind: "ledger_line", told_at: self.posted_at, live: false }
    }
}

impl<T: Text> Arriving for CheckoutEvent<T> {
    const HAS_SOURCE: bool = false;

    fn arrival(&self) -> Arrival {
        Arrival { provider: None, kind: "checkout_event", told_at: self.time, live: true }
    }
}

impl Received for Transaction {
    fn rows(stored: Vec<Stored<Self>>) -> Rows {
        Rows::Transactions(stored)
    }
}

impl Received for LedgerLine {
    fn rows(stored: Vec<Stored<Self>>) -> Rows {
        Rows::LedgerLines(stored)
    }
}

impl Received for CheckoutEvent {
    fn rows(stored: Vec<Stored<Self>>) -> Rows {
        Rows::CheckoutEvents(stored)
    }
}
