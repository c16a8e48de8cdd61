//! Takes a person out of rows.

use polars::io::ipc::{IpcCompression, IpcStreamWriter};
use polars::prelude::{DataFrame, IntoColumn, NamedFrom, SerWriter, Series};

use super::columns::{Frame, FrameError};

/// The column that says whose a row is.
const PERSON: &str = "customer";
/// What else of a row points to that person.
const TRACES: [&str; 3] = ["customer", "payment_fingerprint", "ip"];
/// Separates this hash from every other use of the same bytes.
const CONTEXT: &str = "tillwatch 2026-11 erased person";

/// A hash of a pseudonym, in hexadecimal digits: enough to know a person again who was erased, not to find one.
pub fn person_hash(pseudonym: &str) -> String {
    blake3::Hash::from_bytes(blake3::derive_key(CONTEXT, pseudonym.as_bytes())).to_hex().to_string()
}

impl Frame {
    /// How many rows are those of somebody for whom `is_gone` says so, given the hash of their pseudonym.
    ///
    /// # Errors
    /// [`FrameError`] when the column is not text. A stream without persons has none.
    pub fn rows_of_persons(&self, is_gone: impl Fn(&str) -> bool) -> Result<usize, FrameError> {
        Ok(marked(&self.0, is_gone)?.into_iter().filter(|gone| *gone).count())
    }

    /// The same rows in the same order, without what points to them.
    ///
    /// # Errors
    /// As [`Frame::rows_of_persons`].
    pub fn without_persons(&self, is_gone: impl Fn(&str) -> bool) -> Result<Self, FrameError> {
        let gone = marked(&self.0, is_gone)?;
        let mut data = self.0.clone();
        for name in TRACES {
            let Ok(column) = data.column(name) else { continue };
            let kept: Vec<Option<String>> = column
                .str()?
                .iter()
                .zip(&gone)
                .map(|(text, gone)| text.filter(|_| !gone).map(str::to_owned))
                .collect();
            data.with_column(Series::new(name.into(), kept).into_column())?;
        }
        Ok(Self(data))
    }
}

/// Encodes a frame as an inbox batch.
///
/// # Errors
/// [`FrameError`], which no frame that was decoded causes.
pub fn encode_frame(frame: &Frame) -> Result<Vec<u8>, FrameError> {
    let mut bytes = Vec::new();
    let mut data = frame.0.clone();
    IpcStreamWriter::new(&mut bytes).with_compression(Some(IpcCompression::LZ4)).finish(&mut data)?;
    Ok(bytes)
}

fn marked(data: &DataFrame, is_gone: impl Fn(&str) -> bool) -> Result<Vec<bool>, FrameError> {
    let Ok(column) = data.column(PERSON) else { return Ok(vec![false; data.height()]) };
    Ok(column.str()?.iter().map(|text| text.is_some_and(|text| is_gone(&person_hash(text)))).collect())
}

#[cfg(test)]
mod tests {
    use polars::prelude::{ChunkAgg, df};

    use super::*;
    use crate::lake::decode_batch;

    #[test]
    fn the_traces_of_one_person_go_and_every_other_row_stays() {
        let frame = Frame(
            df!(
                "customer" => [Some("aa"), Some("bb"), None],
                "payment_fingerprint" => [Some("fa"), Some("fb"), Some("fc")],
                "ip" => [Some("ia"), None, None],
                "amount" => [1_i64, 2, 3],
            )
            .unwrap(),
        );
        let hash = person_hash("aa");
        let is_gone = |person: &str| person == hash;
        assert_eq!(frame.rows_of_persons(is_gone).unwrap(), 1);
        let without = frame.without_persons(is_gone).unwrap();
        assert_eq!(without.rows_of_persons(is_gone).unwrap(), 0);
        let decoded = decode_batch(&encode_frame(&without).unwrap()).unwrap();
        let texts = |name: &str| -> Vec<Option<String>> {
            decoded
                .0
                .column(name)
                .unwrap()
                .str()
                .unwrap()
                .iter()
                .map(|text| text.map(str::to_owned))
                .collect()
        };
        assert_eq!(texts("customer"), [None, Some("bb".into()), None]);
        assert_eq!(texts("payment_fingerprint"), [None, Some("fb".into()), Some("fc".into())]);
        assert_eq!(decoded.0.column("amount").unwrap().i64().unwrap().sum(), Some(6));
        let stranger = Frame(df!("step" => ["cart"]).unwrap());
        assert_eq!(stranger.rows_of_persons(|_| true).unwrap(), 0);
    }
}
