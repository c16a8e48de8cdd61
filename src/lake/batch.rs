use std::io::Cursor;

use polars::io::ipc::{IpcCompression, IpcStreamReader, IpcStreamWriter};
use polars::prelude::{SerReader, SerWriter};

use crate::domain::{CheckoutEvent, LedgerLine, Stored, Stream, Transaction};

use super::columns::{Frame, FrameError};
use super::encode;

/// Most rows in one inbox batch. Arrival order is `inbox sequence × BATCH_ROWS_MAX + place in the batch`.
pub const BATCH_ROWS_MAX: usize = 65_536;

/// Accepted rows of one stream, on their way to the inbox.
#[derive(Clone, Debug)]
pub enum Rows {
    Transactions(Vec<Stored<Transaction>>),
    LedgerLines(Vec<Stored<LedgerLine>>),
    CheckoutEvents(Vec<Stored<CheckoutEvent>>),
}

impl Rows {
    /// No rows of a stream.
    pub const fn none(stream: Stream) -> Self {
        match stream {
            Stream::Transactions => Self::Transactions(Vec::new()),
            Stream::LedgerLines => Self::LedgerLines(Vec::new()),
            Stream::CheckoutEvents => Self::CheckoutEvents(Vec::new()),
        }
    }

    /// The stream.
    pub const fn stream(&self) -> Stream {
        match self {
            Self::Transactions(_) => Stream::Transactions,
            Self::LedgerLines(_) => Stream::LedgerLines,
            Self::CheckoutEvents(_) => Stream::CheckoutEvents,
        }
    }

    /// How many.
    pub const fn len(&self) -> usize {
        match self {
            Self::Transactions(rows) => rows.len(),
            Self::LedgerLines(rows) => rows.len(),
            Self::CheckoutEvents(rows) => rows.len(),
        }
    }

    /// True when there are none.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends the rows of the same stream; rows of another stream are handed back untouched.
    ///
    /// # Errors
    /// The other rows, when they are of another stream.
    pub fn append(&mut self, other: Self) -> Result<(), Self> {
        match (self, other) {
            (Self::Transactions(rows), Self::Transactions(mut more)) => rows.append(&mut more),
            (Self::LedgerLines(rows), Self::LedgerLines(mut more)) => rows.append(&mut more),
            (Self::CheckoutEvents(rows), Self::CheckoutEvents(mut more)) => rows.append(&mut more),
            (_, other) => return Err(other),
        }
        Ok(())
    }
}

/// Encodes rows as one Arrow IPC stream. Takes a few microseconds a row: call it on a blocking thread.
///
/// # Errors
/// [`FrameError`], which no valid row causes.
pub fn encode_batch(rows: &Rows) -> Result<Vec<u8>, FrameError> {
    let mut frame = match rows {
        Rows::Transactions(rows) => encode::transactions(rows),
        Rows::LedgerLines(rows) => encode::ledger_lines(rows),
        Rows::CheckoutEvents(rows) => encode::checkout_events(rows),
    }?;
    let mut bytes = Vec::new();
    IpcStreamWriter::new(&mut bytes).with_compression(Some(IpcCompression::LZ4)).finish(&mut frame.0)?;
    Ok(bytes)
}

/// Reads what [`encode_batch`] wrote.
///
/// # Errors
/// [`FrameError`] when the bytes are damaged.
pub fn decode_batch(bytes: &[u8]) -> Result<Frame, FrameError> {
    Ok(Frame(IpcStreamReader::new(Cursor::new(bytes)).finish()?))
}
