use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use super::door::Door;
use crate::analytics::SnapshotCell;
use crate::domain::{Clock, Instant};
use crate::intake::fetching::Gateways;
use crate::intake::webhooks::WebhookDesk;
use crate::intake::{Intake, Pseudonyms};
use crate::lake::Lake;
use crate::store::{Database, Seal};
use crate::telemetry::Metrics;

/// What every handler may use. Cheap to clone: each worker has one.
#[derive(Clone)]
pub struct AppState {
    pub database: Database,
    pub snapshots: Arc<SnapshotCell>,
    pub lake: Arc<Lake>,
    pub intake: Arc<Intake>,
    /// Turns references to people into keyed hashes.
    pub pseudonyms: Arc<Pseudonyms>,
    /// Takes providers' notices in.
    pub webhooks: Arc<WebhookDesk>,
    /// Opens the secrets of others that we keep.
    pub seal: Seal,
    pub clock: Arc<dyn Clock>,
    pub metrics: Arc<Metrics>,
    pub config: Arc<WebConfig>,
    /// Passwords, sessions, keys and their limits.
    pub door: Arc<Door>,
}

/// What the web layer is told at the start and never changes.
#[derive(Clone, Debug, Default)]
pub struct WebConfig {
    /// When this process started.
    pub started_at: Instant,
    /// The folder that holds the lake, and the database where that is a file.
    pub data_dir: PathBuf,
    /// The token that `/metrics` asks for; without one it answers on the loopback interface only.
    pub metrics_token: Option<String>,
    /// Scheme, host and port as browsers write them, without a slash at the end: `https://till.example.com`.
    pub public_origin: String,
    /// Lets a robot's address lead to this machine: only for trying out without WeCom.
    pub allow_local_robot: bool,
    /// Where providers are asked for bills.
    pub gateways: Gateways,
    /// Proxies whose `X-Forwarded-For` is believed; nobody else's is.
    pub trusted_proxies: Vec<IpAddr>,
}

impl WebConfig {
    /// True when browsers reach us by https: cookies are then `Secure` and the browser is told to stay with it.
    pub fn is_https(&self) -> bool {
        self.public_origin.starts_with("https://")
    }
}
