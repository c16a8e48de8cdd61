//! The door: who comes in. Passwords, sessions, API keys, forged requests, too many tries.
//!
//! Handlers take what they need as an argument and cannot forget to ask: [`Viewer`] for a person who is signed in,
//! [`SignedForm`] for a form such a person sent, [`IngestKey`] or [`ReadKey`] for a machine.

mod api_key;
mod forgery;
mod limits;
mod password;
mod random;
mod session;
mod signed_form;
mod sites;
mod viewer;

pub use api_key::{ApiKey, IngestKey, KeyText, ReadKey};
pub use forgery::{client_ip, same_origin};
pub(in crate::web) use limits::network_of;
pub use limits::{LOGINS_PER_ACCOUNT_MAX, LOGINS_PER_IP_MAX};
pub use password::{PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN, PasswordError, Passwords};
pub use random::{NoRandom, random_bytes, random_hex};
pub use session::{end_session, start_session, token_hash};
pub use signed_form::SignedForm;
pub use sites::{Site, SiteState, is_origin};
pub use viewer::Viewer;

use limits::Limits;

/// Bytes of every key derived from the installation's secret.
pub type SecretKey = [u8; 32];

/// The keys that the door needs, derived from the installation's secret file (`app::config` reads it).
#[derive(Clone)]
pub struct DoorKeys {
    /// Under which the secrets of API keys are hashed.
    pub pepper: SecretKey,
    /// Under which the tokens of forms are made.
    pub forms: SecretKey,
}

/// State of the door that is not in the database.
pub struct Door {
    keys: DoorKeys,
    pub passwords: Passwords,
    limits: Limits,
    known_keys: api_key::KnownKeys,
    /// Sites that send events from browsers.
    pub(in crate::web) sites: sites::KnownSites,
}

impl Door {
    /// A door with these keys.
    pub fn new(keys: DoorKeys) -> Self {
        Self {
            keys,
            passwords: Passwords::default(),
            limits: Limits::default(),
            known_keys: api_key::KnownKeys::default(),
            sites: sites::KnownSites::default(),
        }
    }

    /// Counts a try to sign in; false when there were too many.
    pub fn may_sign_in(&self, email: &str, ip: std::net::IpAddr) -> bool {
        self.limits.may_sign_in(email, ip)
    }

    /// Counts a request to a public site's address; false when there were too many.
    pub fn may_collect(&self, site: &str, ip: std::net::IpAddr) -> bool {
        self.limits.may_collect(site, ip)
    }

    /// Makes a key: its text, shown once, and what is kept of its secret.
    ///
    /// # Errors
    /// When the machine gives no random bytes.
    pub fn make_key(&self, mode: crate::domain::KeyMode) -> Result<(KeyText, Vec<u8>), NoRandom> {
        let key = KeyText::make(mode)?;
        let hash = key.secret_hash(&self.keys.pepper);
        Ok((key, hash))
    }

    /// Forgets what is remembered of keys, so that a revoked one is refused at once.
    pub fn forget_keys(&self) {
        self.known_keys.clear();
    }
}
