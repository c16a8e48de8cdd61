use std::io::Cursor;
use std::marker::PhantomData;

use polars::io::ipc::{IpcCompression, IpcStreamReader, IpcStreamWriter};
use polars::prelude::{CompatLevel, DataFrame, SerReader, SerWriter};

use crate::domain::{CheckoutEvent, LedgerLine, Stored, Stream, Transaction};

use super::columns::{Columns, Frame, FrameError};
use super::encode::StreamRecord;

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

/// Rows on their way to the inbox: as they are, or encoded already.
///
/// A request of many rows encodes them itself, on its own thread, so that the one writer only strings them together.
/// Few rows are worth more together: a batch of its own costs some kilobytes whatever it holds.
#[derive(Clone, Debug)]
pub enum Incoming {
    Rows(Rows),
    Encoded(EncodedRows),
}

impl Incoming {
    /// The stream.
    pub const fn stream(&self) -> Stream {
        match self {
            Self::Rows(rows) => rows.stream(),
            Self::Encoded(encoded) => encoded.stream,
        }
    }

    /// How many rows.
    pub const fn len(&self) -> usize {
        match self {
            Self::Rows(rows) => rows.len(),
            Self::Encoded(encoded) => encoded.rows,
        }
    }

    /// True when there are none.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many bytes, where they are encoded.
    pub const fn bytes(&self) -> Option<usize> {
        match self {
            Self::Rows(_) => None,
            Self::Encoded(encoded) => Some(encoded.bytes.len()),
        }
    }
}

/// Encoded rows of one stream: Arrow IPC streams, one behind the other.
#[derive(Clone, Debug)]
pub struct EncodedRows {
    stream: Stream,
    rows: usize,
    bytes: Vec<u8>,
}

impl EncodedRows {
    /// No rows of a stream.
    pub const fn none(stream: Stream) -> Self {
        Self { stream, rows: 0, bytes: Vec::new() }
    }

    /// The stream.
    pub const fn stream(&self) -> Stream {
        self.stream
    }

    /// How many rows.
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// What an inbox batch holds.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Puts the rows of the same stream behind these; rows of another stream are handed back untouched.
    ///
    /// # Errors
    /// The other rows, when they are of another stream.
    pub fn append(&mut self, other: Self) -> Result<(), Self> {
        if self.stream != other.stream {
            return Err(other);
        }
        self.rows += other.rows;
        if self.bytes.is_empty() {
            self.bytes = other.bytes;
        } else {
            self.bytes.extend_from_slice(&other.bytes);
        }
        Ok(())
    }
}

/// Room made for an encoded batch: for the names of its columns, and for each row.
const SCHEMA_BYTES_GUESS: usize = 8 << 10;
const ROW_BYTES_GUESS: usize = 280;

/// Encodes rows chunk by chunk.
pub struct BatchBuilder<R> {
    columns: Columns,
    of: PhantomData<fn(R)>,
}

impl<R> Default for BatchBuilder<R> {
    fn default() -> Self {
        Self { columns: Columns::default(), of: PhantomData }
    }
}

impl<R: StreamRecord> BatchBuilder<R> {
    /// Appends rows. Some tens at a time are quickest: they are still in the processor's cache when the last of
    /// their columns is reached.
    pub fn append(&mut self, rows: &[Stored<R>]) {
        self.columns.chunk(rows.len());
        R::append(&mut self.columns, rows);
    }

    /// The rows as one Arrow IPC stream. Columns without a value are left out.
    ///
    /// # Errors
    /// [`FrameError`], which no valid row causes.
    pub fn finish(self) -> Result<EncodedRows, FrameError> {
        let rows = self.columns.rows();
        let mut frame = self.columns.finish()?;
        let mut bytes = Vec::with_capacity(SCHEMA_BYTES_GUESS + rows * ROW_BYTES_GUESS);
        IpcStreamWriter::new(&mut bytes)
            .with_compression(Some(IpcCompression::LZ4))
            .with_compat_level(CompatLevel::newest())
            .finish(&mut frame.0)?;
        Ok(EncodedRows { stream: R::STREAM, rows, bytes })
    }
}

/// Rows that are appended to the columns at once.
const CHUNK_ROWS: usize = 64;

/// Encodes rows as one Arrow IPC stream. Takes about a microsecond a row: call it on a blocking thread.
///
/// # Errors
/// [`FrameError`], which no valid row causes.
pub fn encode_batch(rows: &Rows) -> Result<EncodedRows, FrameError> {
    match rows {
        Rows::Transactions(rows) => encode_rows(rows),
        Rows::LedgerLines(rows) => encode_rows(rows),
        Rows::CheckoutEvents(rows) => encode_rows(rows),
    }
}

fn encode_rows<R: StreamRecord>(rows: &[Stored<R>]) -> Result<EncodedRows, FrameError> {
    let mut builder = BatchBuilder::default();
    for chunk in rows.chunks(CHUNK_ROWS) {
        builder.append(chunk);
    }
    builder.finish()
}

/// Reads what an inbox batch holds: the rows of all its Arrow IPC streams, in their order and with every column of
/// their stream of records.
///
/// # Errors
/// [`FrameError`] when the bytes are damaged.
pub fn decode_batch(bytes: &[u8]) -> Result<Frame, FrameError> {
    let mut reader = Cursor::new(bytes);
    let mut whole: Option<DataFrame> = None;
    loop {
        let part = complete(&IpcStreamReader::new(&mut reader).finish()?)?;
        match &mut whole {
            None => whole = Some(part),
            Some(whole) => {
                whole.vstack_mut(&part)?;
            }
        }
        if usize::try_from(reader.position()).is_ok_and(|at| at >= bytes.len()) {
            break;
        }
    }
    let mut whole = whole.unwrap_or_default();
    whole.rechunk_mut();
    Ok(Frame(whole))
}

/// The frame with all columns of its stream, which its identity's column tells.
fn complete(frame: &DataFrame) -> Result<DataFrame, FrameError> {
    let has = |name: &str| frame.get_column_index(name).is_some();
    if has("line_id") {
        all_columns::<LedgerLine>(frame)
    } else if has("event_id") {
        all_columns::<CheckoutEvent>(frame)
    } else {
        all_columns::<Transaction>(frame)
    }
}

fn all_columns<R: StreamRecord>(frame: &DataFrame) -> Result<DataFrame, FrameError> {
    let mut columns = Columns::default();
    R::append(&mut columns, &[]);
    columns.complete(frame)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        Currency, Instant, Kind, MethodDetail, Money, Risk, Status, StoreId, Word, row_hash,
    };

    fn transaction(id: &str, device: Option<&str>) -> Stored<Transaction> {
        let at: Instant = "2026-11-24T10:00:00.123Z".parse().unwrap();
        let record = Transaction {
            transaction_id: id.to_owned(),
            created_at: at,
            kind: Kind::Payment,
            status: Status::Succeeded,
            amount: Money::from_minor(1205, Currency::CNY).unwrap(),
            store: StoreId(1),
            account: "default".to_owned(),
            provider: Some(Word::of("alipay")),
            method: None,
            aggregator: None,
            method_detail: MethodDetail::default(),
            scene: None,
            device: device.map(str::to_owned),
            operator: None,
            terminal: None,
            shift: None,
            source: None,
            campaign: None,
            promotion: None,
            order_id: None,
            payment_id: None,
            attempt: None,
            parent_transaction_id: None,
            provider_transaction_id: None,
            subscription_id: None,
            submitted_at: None,
            authorized_at: None,
            completed_at: None,
            settled_on: None,
            updated_at: None,
            failure_code: None,
            failure_message: None,
            failure_class: None,
            list_amount: None,
            discount_merchant: None,
            discount_platform: None,
            tax: None,
            fee: None,
            fee_refunded: None,
            customer: None,
            payment_fingerprint: None,
            ip: None,
            items: Vec::new(),
            risk: Risk::default(),
            attributes: device.map(|device| ("d".to_owned(), device.to_owned())).into_iter().collect(),
            test: false,
        };
        let (key, row_hash) = (record.key(), row_hash(&record));
        Stored { key, row_hash, record, witness: false, feed: Word::of("api"), received_at: at }
    }

    fn encoded(rows: Vec<Stored<Transaction>>) -> EncodedRows {
        encode_batch(&Rows::Transactions(rows)).unwrap()
    }

    #[test]
    fn a_column_that_was_left_out_comes_back_without_values() {
        let without = encoded(vec![transaction("a", None)]);
        let with = encoded(vec![transaction("a", Some("till"))]);
        assert!(without.bytes().len() < with.bytes().len());
        let (without, with) = (decode_batch(without.bytes()).unwrap(), decode_batch(with.bytes()).unwrap());
        assert_eq!(without.0.schema(), with.0.schema());
        assert_eq!(without.0.column("device").unwrap().null_count(), 1);
        let keys = without.0.column("attribute_key").unwrap().list().unwrap().clone();
        assert_eq!((keys.null_count(), keys.get_as_series(0).unwrap().len()), (0, 0));
    }

    #[test]
    fn batches_behind_one_another_are_read_as_one() {
        let rows: Vec<Stored<Transaction>> =
            (0..150).map(|n| transaction(&n.to_string(), (n == 100).then_some("till"))).collect();
        let whole = encoded(rows.clone());
        let mut parts = EncodedRows::none(Stream::Transactions);
        for part in rows.chunks(40) {
            parts.append(encoded(part.to_vec())).unwrap();
        }
        assert_eq!(parts.rows(), 150);
        let (parts, whole) = (decode_batch(parts.bytes()).unwrap(), decode_batch(whole.bytes()).unwrap());
        assert!(parts.0.equals_missing(&whole.0));
        assert_eq!(parts.0.first_col_n_chunks(), 1);
    }

    #[test]
    fn bytes_that_are_cut_off_or_of_another_stream_are_refused() {
        let mut parts = encoded(vec![transaction("a", None)]);
        let first = parts.bytes().len();
        parts.append(encoded(vec![transaction("b", None)])).unwrap();
        for length in [0, 7, first / 2, first + 1, first + 40, first + first / 2] {
            assert!(decode_batch(&parts.bytes()[..length]).is_err(), "{length} bytes");
        }
        assert!(parts.append(EncodedRows::none(Stream::LedgerLines)).is_err());
    }
}
