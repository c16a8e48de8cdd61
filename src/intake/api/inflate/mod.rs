//! Compressed bodies, inflated in small steps; given up as soon as a limit is passed.

mod frames;
mod gzip;
#[cfg(test)]
mod tests;

use frames::Zstd;
use gzip::Gzip;

/// Most bytes that one compressed byte may become, once there is enough to judge by.
const RATIO_MAX: usize = 200;
/// Below so many inflated bytes the ratio is not asked: a short text of one letter compresses well.
const RATIO_FROM_BYTES: usize = 1 << 20;
/// Bytes handed to a decoder at once. A step of gzip inflates to at most a thousandfold, one of zstd is looked at in
/// pieces; so memory stays bounded between two checks.
const STEP_BYTES: usize = 4 << 10;

/// How a body is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    Gzip,
    Zstd,
}

/// Why a compressed body was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InflateError {
    #[error("the body is not compressed as it says, or it is damaged")]
    Damaged,
    #[error("the body inflates to more than is allowed")]
    TooLarge,
    #[error("the body inflates to more than {RATIO_MAX} times its size")]
    Ratio,
    #[error("the body asks for a window of more than 8 MiB")]
    Window,
    #[error("there is no memory to inflate the body")]
    NoRoom,
}

/// What a decoder does; [`Inflater`] watches over it.
trait Inflated: std::fmt::Debug {
    /// Takes at most [`STEP_BYTES`].
    fn step(&mut self, piece: &[u8]) -> Result<(), InflateError>;
    /// Bytes inflated so far.
    fn bytes(&self) -> usize;
    /// Bytes that it holds beside those.
    fn memory(&self) -> usize;
    /// What was inflated; an error when something is missing.
    fn end(&mut self) -> Result<Vec<u8>, InflateError>;
}

/// Inflates one layer in small steps.
#[derive(Debug)]
pub struct Inflater {
    decoder: Box<dyn Inflated>,
    taken: usize,
}

impl Inflater {
    /// An inflater that gives at most `bytes_max` bytes.
    ///
    /// # Errors
    /// [`InflateError::NoRoom`].
    pub fn new(encoding: Encoding, bytes_max: usize) -> Result<Self, InflateError> {
        let decoder: Box<dyn Inflated> = match encoding {
            Encoding::Gzip => Box::new(Gzip::new(bytes_max)),
            Encoding::Zstd => Box::new(Zstd::new(bytes_max)?),
        };
        Ok(Self { decoder, taken: 0 })
    }

    /// Takes the next piece of the compressed body.
    ///
    /// # Errors
    /// [`InflateError`].
    pub fn push(&mut self, piece: &[u8]) -> Result<(), InflateError> {
        for step in piece.chunks(STEP_BYTES) {
            self.taken += step.len();
            self.decoder.step(step)?;
            self.check()?;
        }
        Ok(())
    }

    /// Bytes held: what was inflated so far, and the decoder's own.
    pub fn held_bytes(&self) -> usize {
        self.decoder.bytes() + self.decoder.memory()
    }

    /// The inflated body.
    ///
    /// # Errors
    /// [`InflateError`]: cut off, wrong checksum, or too large after all.
    pub fn finish(mut self) -> Result<Vec<u8>, InflateError> {
        let bytes = self.decoder.end()?;
        self.check_ratio(bytes.len())?;
        Ok(bytes)
    }

    fn check(&self) -> Result<(), InflateError> {
        self.check_ratio(self.decoder.bytes())
    }

    const fn check_ratio(&self, inflated: usize) -> Result<(), InflateError> {
        if inflated > RATIO_FROM_BYTES && inflated / RATIO_MAX > self.taken {
            return Err(InflateError::Ratio);
        }
        Ok(())
    }
}
