use std::sync::{Arc, Mutex, PoisonError};

use chrono::TimeDelta;

use super::clock::{Clock, Instant};

/// A clock that never goes back, whatever the machine's clock does: times of receipt are in the order of receipt.
///
/// While the machine's clock stands before the last time shown, each call shows a microsecond more than the one before.
pub struct SteadyClock {
    machine: Arc<dyn Clock>,
    last: Mutex<Instant>,
}

impl SteadyClock {
    /// A clock that shows nothing before `seed`, the youngest time that was ever written down.
    pub fn new(machine: Arc<dyn Clock>, seed: Instant) -> Self {
        Self { machine, last: Mutex::new(seed) }
    }
}

impl Clock for SteadyClock {
    fn now(&self) -> Instant {
        let wall = self.machine.now();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = wall.max(last.checked_add_signed(TimeDelta::microseconds(1)).unwrap_or(*last));
        *last
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::FixedClock;

    #[test]
    fn it_never_goes_back_and_follows_the_machine_forward() {
        let start: Instant = "2026-11-24T12:00:00Z".parse().unwrap();
        let machine = Arc::new(FixedClock::at(start));
        let seed = start + TimeDelta::hours(3);
        let steady = SteadyClock::new(Arc::<FixedClock>::clone(&machine) as Arc<dyn Clock>, seed);
        let first = steady.now();
        assert!(first > seed, "the database knows a later time than the machine");
        machine.advance(TimeDelta::hours(-3));
        let second = steady.now();
        assert!(second > first && second - first < TimeDelta::seconds(1));
        machine.advance(TimeDelta::hours(12));
        assert_eq!(steady.now(), start + TimeDelta::hours(9));
    }
}
