use std::collections::HashMap;

use super::super::bills::Refusal;

/// Different lines without an id of one file that are told apart.
const LINES_WITHOUT_ID_MAX: usize = 2_000_000;

/// How often each line without an id has been met: lines that say the same are different movements all the same, and
/// the second of two identical ones is the second in every file that holds both.
#[derive(Debug, Default)]
pub struct Occurrences(HashMap<u64, u32>);

impl Occurrences {
    /// An id for a line that has none: the hash of what it says, and which of its kind it is.
    ///
    /// # Errors
    /// [`Refusal::TooManyLines`] beyond [`LINES_WITHOUT_ID_MAX`].
    pub fn id_of(&mut self, hash: &str) -> Result<String, Refusal> {
        let digest = blake3::hash(hash.as_bytes());
        let mut key = [0; 8];
        key.copy_from_slice(&digest.as_bytes()[..8]);
        if self.0.len() >= LINES_WITHOUT_ID_MAX {
            return Err(Refusal::TooManyLines(LINES_WITHOUT_ID_MAX));
        }
        let times = self.0.entry(u64::from_le_bytes(key)).or_default();
        *times += 1;
        Ok(if *times == 1 { hash.to_owned() } else { format!("{hash}#{times}") })
    }
}
