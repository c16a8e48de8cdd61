use zstd::zstd_safe::{DCtx, DParameter, InBuffer, OutBuffer, get_error_name};

use super::{InflateError, Inflated};

/// A frame may ask for a window of so many bytes, as a power of two: 8 MiB, what every decoder is expected to grant.
const WINDOW_LOG_MAX: u32 = 23;
/// Bytes inflated between two looks at the limit.
const OUTPUT_BYTES: usize = 16 << 10;
/// What zstd says of a frame that asks for a larger window.
const WINDOW_TOO_LARGE: &str = "Frame requires too much memory for decoding";

/// Frames of zstd, one behind the other.
pub(super) struct Zstd {
    context: DCtx<'static>,
    bytes: Vec<u8>,
    bytes_max: usize,
    /// False in the middle of a frame.
    at_end: bool,
}

impl Zstd {
    /// Gives at most `bytes_max` bytes.
    ///
    /// # Errors
    /// [`InflateError::NoRoom`] when there is no memory for a decoder.
    pub(super) fn new(bytes_max: usize) -> Result<Self, InflateError> {
        let mut context = DCtx::try_create().ok_or(InflateError::NoRoom)?;
        context.init().map_err(why)?;
        context.set_parameter(DParameter::WindowLogMax(WINDOW_LOG_MAX)).map_err(why)?;
        Ok(Self { context, bytes: Vec::new(), bytes_max, at_end: false })
    }
}

impl std::fmt::Debug for Zstd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Zstd({} bytes)", self.bytes.len())
    }
}

impl Inflated for Zstd {
    fn step(&mut self, piece: &[u8]) -> Result<(), InflateError> {
        let mut input = InBuffer::around(piece);
        let mut inflated = [0; OUTPUT_BYTES];
        loop {
            let mut output = OutBuffer::around(&mut inflated[..]);
            let hint = self.context.decompress_stream(&mut output, &mut input).map_err(why)?;
            let made = output.as_slice();
            if self.bytes.len() + made.len() > self.bytes_max {
                return Err(InflateError::TooLarge);
            }
            self.bytes.extend_from_slice(made);
            self.at_end = hint == 0;
            // What did not fit into the output stays in the decoder: it is done when the output was not filled.
            if input.pos == piece.len() && made.len() < OUTPUT_BYTES {
                return Ok(());
            }
        }
    }

    fn bytes(&self) -> usize {
        self.bytes.len()
    }

    fn memory(&self) -> usize {
        self.context.sizeof()
    }

    fn end(&mut self) -> Result<Vec<u8>, InflateError> {
        if self.at_end { Ok(std::mem::take(&mut self.bytes)) } else { Err(InflateError::Damaged) }
    }
}

fn why(code: usize) -> InflateError {
    if get_error_name(code) == WINDOW_TOO_LARGE { InflateError::Window } else { InflateError::Damaged }
}
