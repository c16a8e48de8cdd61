use std::io::Write;

use flate2::write::GzDecoder;

use super::{InflateError, Inflated};

/// What the decoder itself holds: a window of 32 KiB and its tables.
const DECODER_BYTES: usize = 48 << 10;

/// One layer of gzip.
#[derive(Debug)]
pub(super) struct Gzip {
    decoder: GzDecoder<Capped>,
}

impl Gzip {
    /// Gives at most `bytes_max` bytes.
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { decoder: GzDecoder::new(Capped { bytes: Vec::new(), bytes_max, is_full: false }) }
    }

    fn why(&self) -> InflateError {
        if self.decoder.get_ref().is_full { InflateError::TooLarge } else { InflateError::Damaged }
    }
}

impl Inflated for Gzip {
    fn step(&mut self, piece: &[u8]) -> Result<(), InflateError> {
        self.decoder.write_all(piece).map_err(|_| self.why())
    }

    fn bytes(&self) -> usize {
        self.decoder.get_ref().bytes.len()
    }

    fn memory(&self) -> usize {
        DECODER_BYTES
    }

    fn end(&mut self) -> Result<Vec<u8>, InflateError> {
        if self.decoder.try_finish().is_err() {
            return Err(self.why());
        }
        Ok(std::mem::take(&mut self.decoder.get_mut().bytes))
    }
}

/// Bytes up to a limit; beyond it, writing fails.
#[derive(Debug)]
struct Capped {
    bytes: Vec<u8>,
    bytes_max: usize,
    is_full: bool,
}

impl Write for Capped {
    fn write(&mut self, piece: &[u8]) -> std::io::Result<usize> {
        if self.bytes.len() + piece.len() > self.bytes_max {
            self.is_full = true;
            return Err(std::io::Error::other("over the limit"));
        }
        self.bytes.extend_from_slice(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
