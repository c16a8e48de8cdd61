//! Which of a store's saved mappings a file is for.

use std::path::Path;

use super::super::bills::{HEAD_LINES_MAX, Opening, Refusal, Spool, SpoolError, recognise};
use super::Mapping;
use crate::store::SavedMapping;

/// The text of the one of these mappings whose columns a file has; `None` for a file of a known format, and for one that
/// fits none, or cannot be read: what is wrong with it is told when it is.
pub fn choose(path: &Path, scratch: &Path, saved: &[SavedMapping]) -> std::io::Result<Option<String>> {
    let mappings: Vec<(Mapping, &SavedMapping)> =
        saved.iter().filter_map(|own| Some((Mapping::parse(&own.text).ok()?, own))).collect();
    let fits = |head: &[String]| mappings.iter().any(|(mapping, _)| mapping.fits(head));
    let head = match Spool::head_of(path, scratch, Opening { fits: Some(&fits), ..Opening::default() }) {
        Ok(head) => head,
        Err(SpoolError::Refused(_)) => return Ok(None),
        Err(SpoolError::Io(error)) => return Err(error),
    };
    if !matches!(recognise(&head[..head.len().min(HEAD_LINES_MAX)]), Err(Refusal::Unknown)) {
        return Ok(None);
    }
    // The one that names the most columns knows the file best.
    let fitting = mappings.iter().filter(|(mapping, _)| mapping.fits(&head));
    Ok(fitting.max_by_key(|(mapping, _)| mapping.columns().len()).map(|(_, own)| own.text.clone()))
}
