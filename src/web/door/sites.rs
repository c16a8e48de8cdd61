use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use chrono::TimeDelta;

use crate::domain::{Instant, Store, instant_from_ms};
use crate::store::{CollectSite, Database, StoreError};
use crate::telemetry::BeaconResult;

/// How long sites are remembered: so long a new one may wait, and so long a removed one may still send.
const REMEMBERED: TimeDelta = TimeDelta::seconds(5);
/// How often the last event of a site is written down.
const WRITTEN_EVERY: TimeDelta = TimeDelta::seconds(10);
/// Characters of an origin.
const ORIGIN_CHARS_MAX: usize = 200;

/// A site that may send events from browsers, with its store.
#[derive(Debug)]
pub struct Site {
    pub record: CollectSite,
    pub store: Store,
}

/// What this process knows of a site since it started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SiteState {
    pub last_event_at: Option<Instant>,
    /// Kept and refused events, by what became of them.
    pub counts: Vec<(BeaconResult, u64)>,
    /// The last refusal: when and why.
    pub refused: Option<(Instant, BeaconResult)>,
    written_at: Option<Instant>,
}

/// Sites in use, remembered for a moment, so that nobody makes us ask the database by making names up.
#[derive(Default)]
pub(in crate::web) struct KnownSites {
    sites: RwLock<Arc<HashMap<String, Arc<Site>>>>,
    /// When they were read, in ms; 0 before.
    read_ms: AtomicI64,
    /// True while somebody reads them anew.
    is_asked: AtomicBool,
    states: Mutex<HashMap<String, SiteState>>,
}

impl KnownSites {
    /// The site of this id.
    pub(in crate::web) async fn find(
        &self,
        database: &Database,
        id: &str,
        now: Instant,
    ) -> Result<Option<Arc<Site>>, StoreError> {
        let read_ms = self.read_ms.load(Ordering::Acquire);
        let is_fresh = read_ms > 0 && (now - instant_from_ms(read_ms)).abs() < REMEMBERED;
        if !is_fresh && (read_ms == 0 || !self.is_asked.swap(true, Ordering::AcqRel)) {
            let read = self.read(database, now).await;
            self.is_asked.store(false, Ordering::Release);
            read?;
        }
        Ok(self.sites.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned())
    }

    async fn read(&self, database: &Database, now: Instant) -> Result<(), StoreError> {
        let stores = database.stores().await?;
        let of = |record: CollectSite| {
            let store = stores.iter().find(|store| store.id == record.store)?.clone();
            Some((record.id.clone(), Arc::new(Site { record, store })))
        };
        let found = database.collect_sites().await?.into_iter().filter_map(of).collect();
        *self.sites.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(found);
        self.read_ms.store(now.timestamp_millis(), Ordering::Release);
        Ok(())
    }

    /// Makes the next request read them anew.
    pub(in crate::web) fn forget(&self) {
        self.read_ms.store(0, Ordering::Release);
    }

    /// Notes what became of events of a known site. True when its last event is due to be written down.
    pub(in crate::web) fn note(&self, id: &str, result: BeaconResult, events: u64, now: Instant) -> bool {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        let state = states.entry(id.to_owned()).or_default();
        match state.counts.iter_mut().find(|(of, _)| *of == result) {
            Some((_, count)) => *count += events,
            None => state.counts.push((result, events)),
        }
        if result != BeaconResult::Accepted {
            state.refused = Some((now, result));
            return false;
        }
        state.last_event_at = Some(now);
        let is_due = state.written_at.is_none_or(|at| (now - at).abs() >= WRITTEN_EVERY);
        if is_due {
            state.written_at = Some(now);
        }
        is_due
    }

    /// What is known of a site since the start.
    pub(in crate::web) fn state(&self, id: &str) -> SiteState {
        self.states.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned().unwrap_or_default()
    }
}

/// True for an origin as browsers write it: `https://shop.example.com`, with a port where it is not the usual one.
pub fn is_origin(text: &str) -> bool {
    let (scheme, rest) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
        (Some(rest), _) => ("443", rest),
        (_, Some(rest)) => ("80", rest),
        _ => return false,
    };
    let (host, port) = rest.rsplit_once(':').map_or((rest, None), |(host, port)| (host, Some(port)));
    let is_host = !host.is_empty()
        && host.split('.').all(|label| {
            !label.is_empty()
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        });
    let is_port =
        port.is_none_or(|port| port != scheme && !port.starts_with('0') && port.parse::<u16>().is_ok());
    text.len() <= ORIGIN_CHARS_MAX && is_host && is_port
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_what_a_browser_sends() {
        for good in [
            "https://shop.example.com",
            "http://127.0.0.1:8090",
            "http://localhost",
            "https://xn--fiq228c.cn:8443",
        ] {
            assert!(is_origin(good), "{good}");
        }
        for bad in [
            "",
            "null",
            "*",
            "https://",
            "https://*.example.com",
            "https://Shop.example.com",
            "https://shop.example.com/",
            "https://shop.example.com/checkout",
            "https://shop.example.com:443",
            "http://shop.example.com:80",
            "https://shop.example.com:x",
            "https://a@b",
            "ftp://shop.example.com",
            "https://商店.cn",
            "https://-a.cn",
        ] {
            assert!(!is_origin(bad), "{bad}");
        }
    }

    #[test]
    fn the_last_event_is_written_down_now_and_then() {
        let sites = KnownSites::default();
        let at = |s: i64| instant_from_ms(1_000_000 + s * 1_000);
        assert!(sites.note("a", BeaconResult::Accepted, 2, at(0)));
        assert!(!sites.note("a", BeaconResult::Accepted, 1, at(9)));
        assert!(sites.note("a", BeaconResult::Accepted, 1, at(10)));
        assert!(!sites.note("a", BeaconResult::Origin, 1, at(20)));
        let state = sites.state("a");
        assert_eq!(state.last_event_at, Some(at(10)));
        assert_eq!(state.counts, [(BeaconResult::Accepted, 4), (BeaconResult::Origin, 1)]);
        assert_eq!(state.refused, Some((at(20), BeaconResult::Origin)));
    }
}
