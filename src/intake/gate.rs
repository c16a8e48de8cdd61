use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Shut while the disk is too full to take records in: they are refused with a sentence, before they are read, rather
/// than lost in a commit that fails. Reading goes on.
#[derive(Clone, Debug, Default)]
pub struct IntakeGate(Arc<AtomicBool>);

impl IntakeGate {
    /// Shuts or opens it; returns true when that changed it.
    pub fn set_shut(&self, shut: bool) -> bool {
        self.0.swap(shut, Ordering::Relaxed) != shut
    }

    /// True while nothing is taken in.
    pub fn is_shut(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
