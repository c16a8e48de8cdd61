use std::io::Write;

use flate2::write::GzDecoder;

/// Most bytes that one compressed byte may become, once there is enough to judge by.
const RATIO_MAX: usize = 200;
/// Below so many inflated bytes the ratio is not asked: a short text of one letter compresses well.
const RATIO_FROM_BYTES: usize = 1 << 20;
/// Bytes handed to the decoder at once. One step inflates to at most a thousandfold, so memory stays bounded between two checks.
const STEP_BYTES: usize = 4 << 10;

/// Why a compressed body was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InflateError {
    #[error("the body says it is gzip, and it is not, or it is damaged")]
    Damaged,
    #[error("the body inflates to more than is allowed")]
    TooLarge,
    #[error("the body inflates to more than {RATIO_MAX} times its size")]
    Ratio,
}

/// Inflates one layer of gzip in small steps and gives up as soon as a limit is passed.
#[derive(Debug)]
pub struct Inflater {
    decoder: GzDecoder<Capped>,
    taken: usize,
}

impl Inflater {
    /// An inflater that gives at most `bytes_max` bytes.
    pub fn new(bytes_max: usize) -> Self {
        Self { decoder: GzDecoder::new(Capped { bytes: Vec::new(), bytes_max, is_full: false }), taken: 0 }
    }

    /// Takes the next piece of the compressed body.
    ///
    /// # Errors
    /// [`InflateError`].
    pub fn push(&mut self, piece: &[u8]) -> Result<(), InflateError> {
        for step in piece.chunks(STEP_BYTES) {
            self.taken += step.len();
            self.decoder.write_all(step).map_err(|_| self.why())?;
            self.check()?;
        }
        Ok(())
    }

    /// Bytes inflated so far.
    pub fn inflated_bytes(&self) -> usize {
        self.decoder.get_ref().bytes.len()
    }

    /// The inflated body.
    ///
    /// # Errors
    /// [`InflateError`]: cut off, wrong checksum, or too large after all.
    pub fn finish(mut self) -> Result<Vec<u8>, InflateError> {
        if self.decoder.try_finish().is_err() {
            return Err(self.why());
        }
        self.check()?;
        self.decoder.finish().map(|capped| capped.bytes).map_err(|_| InflateError::Damaged)
    }

    fn why(&self) -> InflateError {
        if self.decoder.get_ref().is_full { InflateError::TooLarge } else { InflateError::Damaged }
    }

    fn check(&self) -> Result<(), InflateError> {
        let inflated = self.decoder.get_ref().bytes.len();
        if inflated > RATIO_FROM_BYTES && inflated / RATIO_MAX > self.taken {
            return Err(InflateError::Ratio);
        }
        Ok(())
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

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(plain: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    fn inflate(packed: &[u8], bytes_max: usize) -> Result<Vec<u8>, InflateError> {
        let mut inflater = Inflater::new(bytes_max);
        for piece in packed.chunks(7) {
            inflater.push(piece)?;
        }
        inflater.finish()
    }

    #[test]
    fn what_was_packed_comes_back_up_to_the_limit() {
        let plain: Vec<u8> =
            (0..20_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        assert_eq!(inflate(&gzip(&plain), plain.len()).unwrap(), plain);
        assert_eq!(inflate(&gzip(&plain), plain.len() - 1), Err(InflateError::TooLarge));
    }

    #[test]
    fn a_bomb_is_given_up_early() {
        let bomb = gzip(&vec![b' '; 64 << 20]);
        let mut inflater = Inflater::new(16 << 20);
        let given_up = bomb.chunks(STEP_BYTES).map(|piece| inflater.push(piece)).find_map(Result::err);
        assert_eq!(given_up, Some(InflateError::Ratio));
        assert!(inflater.decoder.get_ref().bytes.len() < 8 << 20);
    }

    #[test]
    fn what_is_cut_off_or_no_gzip_is_refused() {
        let packed = gzip(b"{}");
        assert_eq!(inflate(&packed[..packed.len() - 3], 100), Err(InflateError::Damaged));
        assert_eq!(inflate(b"{\"a\":1}, not gzip at all", 100), Err(InflateError::Damaged));
        assert_eq!(inflate(b"", 100), Err(InflateError::Damaged));
    }
}
