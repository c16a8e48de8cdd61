use std::fmt::Write;

/// The machine gives no random bytes: nothing secret may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the machine gives no random bytes")]
pub struct NoRandom;

/// Random bytes from the machine.
///
/// # Errors
/// [`NoRandom`].
pub fn random_bytes<const N: usize>() -> Result<[u8; N], NoRandom> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| NoRandom)?;
    Ok(bytes)
}

/// `N` random bytes as hex.
///
/// # Errors
/// As [`random_bytes`].
pub fn random_hex<const N: usize>() -> Result<String, NoRandom> {
    Ok(hex(&random_bytes::<N>()?))
}

/// Lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
