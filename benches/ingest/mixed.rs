//! From acknowledged to visible, while folds run beside the way in.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tillwatch::analytics::SnapshotCell;
use tillwatch::lake::FileSet;

/// How often acknowledged and visible rows are counted.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// How long the last rows may take.
const LAST_WITHIN: Duration = Duration::from_mins(1);

/// Rows acknowledged and rows visible at one moment.
#[derive(Clone, Copy)]
struct Look {
    at: Instant,
    acknowledged: usize,
    visible: usize,
}

/// Counts both again and again until told to stop and everything is visible.
pub struct Watch {
    stop: Arc<AtomicBool>,
    looking: std::thread::JoinHandle<Vec<Look>>,
}

/// What was seen.
pub struct Seen {
    pub p50_s: f64,
    pub p99_s: f64,
    /// Rows that waited in the middle of the sending and at its end.
    pub waiting_middle: usize,
    pub waiting_end: usize,
    /// Rows that became visible a second, while rows were sent.
    pub folded_per_s: f64,
    /// False when rows were still not visible after [`LAST_WITHIN`].
    pub all_visible: bool,
}

impl Watch {
    pub fn start(snapshots: Arc<SnapshotCell>, acknowledged: Arc<AtomicUsize>) -> Self {
        let stop = Arc::<AtomicBool>::default();
        let told = Arc::clone(&stop);
        let looking = std::thread::spawn(move || {
            let mut looks = Vec::new();
            let mut stopped: Option<Instant> = None;
            loop {
                let visible = visible_rows(&snapshots);
                let acknowledged = acknowledged.load(Ordering::Relaxed);
                looks.push(Look { at: Instant::now(), acknowledged, visible });
                if told.load(Ordering::Relaxed) {
                    let since = stopped.get_or_insert_with(Instant::now);
                    if visible >= acknowledged || since.elapsed() > LAST_WITHIN {
                        return looks;
                    }
                }
                std::thread::sleep(LOOK_EVERY);
            }
        });
        Self { stop, looking }
    }

    /// Call it when the sending is over.
    pub fn finish(self) -> anyhow::Result<Seen> {
        let ended = Instant::now();
        self.stop.store(true, Ordering::Relaxed);
        let looks = self.looking.join().map_err(|_| anyhow::anyhow!("the watching thread died"))?;
        Ok(evaluate(&looks, ended))
    }
}

/// No row is sent twice, so every row of a live file is one that was sent.
fn visible_rows(snapshots: &SnapshotCell) -> usize {
    let snapshot = snapshots.current();
    let files = snapshot.files.values().flatten().filter(|file| file.file_set == FileSet::Current);
    files.map(|file| file.rows as usize).sum()
}

fn evaluate(looks: &[Look], ended: Instant) -> Seen {
    let sending: Vec<Look> = looks.iter().copied().filter(|look| look.at <= ended).collect();
    let mut waits = Vec::new();
    let mut later = 0;
    for look in &sending {
        while looks.get(later).is_some_and(|seen| seen.visible < look.acknowledged) {
            later += 1;
        }
        let seen_at = looks
            .get(later)
            .map_or(f64::INFINITY, |seen| seen.at.saturating_duration_since(look.at).as_secs_f64());
        waits.push(seen_at);
    }
    waits.sort_by(f64::total_cmp);
    let at = |percent: usize| waits.get(waits.len() * percent / 100).copied().unwrap_or(f64::NAN);
    let waiting = |look: Option<&Look>| look.map_or(0, |look| look.acknowledged.saturating_sub(look.visible));
    let folded = match (sending.first(), sending.last()) {
        (Some(first), Some(last)) => {
            (last.visible - first.visible) as f64 / (last.at - first.at).as_secs_f64()
        }
        _ => f64::NAN,
    };
    Seen {
        p50_s: at(50),
        p99_s: at(99),
        waiting_middle: waiting(sending.get(sending.len() / 2)),
        waiting_end: waiting(sending.last()),
        folded_per_s: folded,
        all_visible: looks.last().is_some_and(|look| look.visible >= look.acknowledged),
    }
}
