use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::time::Duration;

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

/// Tries to sign in with one address in [`WINDOW`].
pub const LOGINS_PER_ACCOUNT_MAX: u32 = 5;
/// Tries to sign in from one network address in [`WINDOW`].
pub const LOGINS_PER_IP_MAX: u32 = 20;
/// Requests with a key that does not exist, from one network address in [`WINDOW`].
const WRONG_KEYS_PER_IP_MAX: u32 = 60;
const WINDOW: Duration = Duration::from_mins(15);
/// Requests of one site's pages, of all shoppers: so many at once …
pub const COLLECTED_PER_SITE_MAX: u32 = 1_000;
/// … and so many a second on.
const COLLECTED_PER_SITE_A_SECOND: u32 = 200;
/// Requests of one site's pages from one network address, behind which a whole office or mobile network may stand: so
/// many at once …
pub const COLLECTED_PER_ADDRESS_MAX: u32 = 200;
/// … and so many a second on.
const COLLECTED_PER_ADDRESS_A_SECOND: u32 = 10;
/// Entries of a table of tries before those that no longer count are dropped.
const TABLE_MAX: usize = 10_000;

/// How often something may be tried, by whom.
pub(super) struct Limits {
    accounts: DefaultKeyedRateLimiter<[u8; 16]>,
    addresses: DefaultKeyedRateLimiter<IpAddr>,
    wrong_keys: DefaultKeyedRateLimiter<IpAddr>,
    sites: DefaultKeyedRateLimiter<[u8; 16]>,
    shoppers: DefaultKeyedRateLimiter<[u8; 16]>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            accounts: RateLimiter::keyed(per_window(LOGINS_PER_ACCOUNT_MAX)),
            addresses: RateLimiter::keyed(per_window(LOGINS_PER_IP_MAX)),
            wrong_keys: RateLimiter::keyed(per_window(WRONG_KEYS_PER_IP_MAX)),
            sites: RateLimiter::keyed(per_second(COLLECTED_PER_SITE_A_SECOND, COLLECTED_PER_SITE_MAX)),
            shoppers: RateLimiter::keyed(per_second(
                COLLECTED_PER_ADDRESS_A_SECOND,
                COLLECTED_PER_ADDRESS_MAX,
            )),
        }
    }
}

fn per_window(most: u32) -> Quota {
    let burst = NonZeroU32::new(most).unwrap_or(NonZeroU32::MIN);
    Quota::with_period(WINDOW / burst.get()).map_or_else(|| Quota::per_hour(burst), |q| q.allow_burst(burst))
}

fn per_second(on: u32, at_once: u32) -> Quota {
    let number = |count: u32| NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN);
    Quota::per_second(number(on)).allow_burst(number(at_once))
}

/// A short name of what is counted, so that nobody can fill a table with long ones.
fn short(parts: &[&[u8]]) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        hasher.update(part);
    }
    let mut name = [0; 16];
    hasher.finalize_xof().fill(&mut name);
    name
}

impl Limits {
    /// Counts a request to a site that anybody may send to. One address alone cannot use up what a site has: it is
    /// counted first.
    pub(super) fn may_collect(&self, site: &str, ip: IpAddr) -> bool {
        tidy(&self.sites);
        tidy(&self.shoppers);
        let network = network_of(ip).to_string();
        self.shoppers.check_key(&short(&[site.as_bytes(), network.as_bytes()])).is_ok()
            && self.sites.check_key(&short(&[site.as_bytes()])).is_ok()
    }

    /// Counts a try to sign in. Both counts are made in any case, so that one cannot be saved by spending the other.
    pub(super) fn may_sign_in(&self, email: &str, ip: IpAddr) -> bool {
        tidy(&self.accounts);
        tidy(&self.addresses);
        let hash = blake3::hash(email.as_bytes());
        let mut account = [0; 16];
        account.copy_from_slice(&hash.as_bytes()[..16]);
        let by_account = self.accounts.check_key(&account).is_ok();
        let by_address = self.addresses.check_key(&network_of(ip)).is_ok();
        by_account && by_address
    }

    /// Counts a request with a key that does not exist.
    pub(super) fn may_show_a_wrong_key(&self, ip: IpAddr) -> bool {
        tidy(&self.wrong_keys);
        self.wrong_keys.check_key(&network_of(ip)).is_ok()
    }
}

fn tidy<K: std::hash::Hash + Eq + Clone>(limiter: &DefaultKeyedRateLimiter<K>) {
    if limiter.len() > TABLE_MAX {
        limiter.retain_recent();
    }
}

/// One customer of a provider has a whole /64 of IPv6.
pub(in crate::web) fn network_of(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            ip.to_ipv4_mapped().map_or(IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0)), IpAddr::V4)
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
    fn one_account_and_one_address_have_their_own_limits() {
        let limits = Limits::default();
        for n in 0..LOGINS_PER_ACCOUNT_MAX {
            assert!(limits.may_sign_in("a", IpAddr::from([10, 0, 0, u8::try_from(n).unwrap()])));
        }
        assert!(!limits.may_sign_in("a", ip("10.0.0.99")), "from another address");
        for n in 0..LOGINS_PER_IP_MAX {
            assert!(limits.may_sign_in(&format!("b{n}"), ip("10.1.1.1")));
        }
        assert!(!limits.may_sign_in("c", ip("10.1.1.1")), "with another account");
        assert!(!limits.may_sign_in("d", ip("::ffff:10.1.1.1")), "the same address in other clothes");
        assert!(limits.may_sign_in("d", ip("10.1.1.2")));
    }

    #[test]
    fn one_address_cannot_use_up_what_a_site_has() {
        let limits = Limits::default();
        let flood: Vec<bool> =
            (0..COLLECTED_PER_ADDRESS_MAX * 20).map(|_| limits.may_collect("s", ip("10.0.0.1"))).collect();
        assert!(flood[..COLLECTED_PER_ADDRESS_MAX as usize].iter().all(|may| *may));
        assert!(flood.iter().any(|may| !may));
        assert!(limits.may_collect("s", ip("10.0.0.2")) && limits.may_collect("t", ip("10.0.0.1")));
        let others = (0..COLLECTED_PER_SITE_MAX * 2).map(|n| IpAddr::V4((0x0a01_0000 + n).into()));
        assert!(others.map(|ip| limits.may_collect("s", ip)).any(|may| !may), "a site has its own limit");
    }

    #[test]
    fn neighbours_in_a_64_are_one() {
        assert_eq!(network_of(ip("2001:db8:1:2:3::4")), network_of(ip("2001:db8:1:2::9")));
        assert_ne!(network_of(ip("2001:db8:1:2::")), network_of(ip("2001:db8:1:3::")));
    }
}
