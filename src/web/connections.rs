//! How many connections one network address may hold: a whole office behind one address has enough, and one machine
//! cannot take all.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use super::door::network_of;

/// Connections of one network address at a time. This machine and trusted proxies may have any number.
pub const CONNECTIONS_PER_ADDRESS_MAX: usize = 256;

/// Connections that are open, by address.
#[derive(Clone, Debug)]
pub struct Connections(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    most: usize,
    /// Addresses without a limit.
    exempt: Vec<IpAddr>,
    is_loopback_exempt: bool,
    /// Addresses without a connection are not kept.
    open: Mutex<HashMap<IpAddr, usize>>,
}

/// An open connection; counted until dropped.
#[derive(Debug)]
pub struct OpenConnection {
    connections: Arc<Inner>,
    /// `None` where there is no limit.
    address: Option<IpAddr>,
    is_beyond: bool,
}

impl Connections {
    /// None yet; these proxies and this machine have no limit.
    pub fn new(trusted_proxies: &[IpAddr]) -> Self {
        Self::limited(CONNECTIONS_PER_ADDRESS_MAX, trusted_proxies.to_vec(), true)
    }

    /// With another limit, or one for this machine too.
    pub fn limited(most: usize, exempt: Vec<IpAddr>, is_loopback_exempt: bool) -> Self {
        Self(Arc::new(Inner { most, exempt, is_loopback_exempt, open: Mutex::default() }))
    }

    /// Counts a new connection from `address`.
    pub fn open(&self, address: IpAddr) -> OpenConnection {
        let address = address.to_canonical();
        let inner = &self.0;
        let is_exempt =
            (inner.is_loopback_exempt && address.is_loopback()) || inner.exempt.contains(&address);
        if is_exempt {
            return OpenConnection { connections: Arc::clone(inner), address: None, is_beyond: false };
        }
        let address = network_of(address);
        let mut open = inner.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(address).or_default();
        *count += 1;
        let is_beyond = *count > inner.most;
        drop(open);
        OpenConnection { connections: Arc::clone(inner), address: Some(address), is_beyond }
    }
}

impl OpenConnection {
    /// True when its address had its full number before: its requests are refused, and it is closed.
    pub const fn is_beyond(&self) -> bool {
        self.is_beyond
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        let Some(address) = self.address else { return };
        let mut open = self.connections.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                open.remove(&address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_has_its_number_and_not_one_more() {
        let connections = Connections::new(&[ip("10.0.0.9")]);
        let mut held: Vec<OpenConnection> =
            (0..CONNECTIONS_PER_ADDRESS_MAX).map(|_| connections.open(ip("192.0.2.1"))).collect();
        assert!(held.iter().all(|one| !one.is_beyond()));
        assert!(connections.open(ip("192.0.2.1")).is_beyond());
        assert!(connections.open(ip("::ffff:192.0.2.1")).is_beyond(), "the same address in other clothes");
        assert!(!connections.open(ip("192.0.2.2")).is_beyond());
        held.pop();
        assert!(!connections.open(ip("192.0.2.1")).is_beyond(), "one has gone");
        drop(held);
        assert!(connections.0.open.lock().unwrap().is_empty());
    }

    #[test]
    fn this_machine_and_proxies_have_no_limit() {
        let connections = Connections::limited(1, vec![ip("10.0.0.9")], true);
        for address in ["127.0.0.1", "::1", "10.0.0.9", "::ffff:10.0.0.9"] {
            let held: Vec<OpenConnection> = (0..3).map(|_| connections.open(ip(address))).collect();
            assert!(held.iter().all(|one| !one.is_beyond()), "{address}");
        }
        let strict = Connections::limited(1, Vec::new(), false);
        let _first = strict.open(ip("127.0.0.1"));
        assert!(strict.open(ip("127.0.0.1")).is_beyond());
    }
}
