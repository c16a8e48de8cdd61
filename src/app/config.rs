//! Settings of a process: flag, else environment variable, else default. The only place that reads the environment.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;

use crate::domain::Sabotage;
use crate::intake::fetching::Gateways;
use crate::jobs::backup::BackupSchedule;
use crate::store::{DatabaseAddress, Durability};
use crate::telemetry::LogFormat;

/// Where the server keeps its data unless told otherwise.
pub const DATA_DIR_DEFAULT: &str = "tillwatch-data";

/// What every command that touches the data needs.
#[derive(Args, Clone, Debug)]
pub struct DataOptions {
    /// Folder of the database, the lake and the secret
    #[arg(long, env = "TILLWATCH_DATA_DIR", default_value = DATA_DIR_DEFAULT, value_name = "DIR")]
    pub data_dir: PathBuf,
    /// Keep the data in PostgreSQL: postgres://user@host/database; the password stands better in ~/.pgpass or in the
    /// environment variable than on the command line. By default a SQLite file in the data folder
    #[arg(long, env = "TILLWATCH_DATABASE", hide_env_values = true, value_name = "URL")]
    pub database: Option<DatabaseUrl>,
    /// Run on a database that can lose acknowledged rows
    #[arg(long, hide = true)]
    pub i_accept_data_loss: bool,
}

impl DataOptions {
    /// Where the database is.
    ///
    /// # Errors
    /// When the address cannot be read.
    pub fn database(&self) -> anyhow::Result<DatabaseAddress> {
        match &self.database {
            Some(DatabaseUrl(url)) => DatabaseAddress::parse(url).context("reading --database"),
            None => Ok(DatabaseAddress::File(database_path(&self.data_dir))),
        }
    }

    /// Whether a database that can lose acknowledged rows is refused.
    pub const fn durability(&self) -> Durability {
        if self.i_accept_data_loss { Durability::Waived } else { Durability::Required }
    }
}

/// The address of a database as it was given. It may hold a password, so it never shows itself.
#[derive(Clone)]
pub struct DatabaseUrl(String);

impl From<&str> for DatabaseUrl {
    fn from(url: &str) -> Self {
        Self(url.to_owned())
    }
}

impl std::fmt::Debug for DatabaseUrl {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("(hidden)")
    }
}

/// How the server listens and what it tells.
#[derive(Args, Clone, Debug)]
pub struct ServerOptions {
    /// Address and port to listen on
    #[arg(long, env = "TILLWATCH_LISTEN", default_value = "127.0.0.1:8080", value_name = "ADDRESS:PORT")]
    pub listen: SocketAddr,
    /// Where browsers find the server, e.g. https://till.example.com; by default the address it listens on
    #[arg(long, env = "TILLWATCH_PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<String>,
    /// Address of a proxy whose X-Forwarded-For is believed; may be given several times
    #[arg(long, env = "TILLWATCH_TRUSTED_PROXIES", value_delimiter = ',', value_name = "IP")]
    pub trusted_proxy: Vec<IpAddr>,
    /// Token that /metrics asks for; without it /metrics answers on the loopback interface only
    #[arg(long, env = "TILLWATCH_METRICS_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    pub metrics_token: Option<String>,
    /// Let a robot's address lead to this machine, to try messages out without WeCom
    #[arg(long, env = "TILLWATCH_ALLOW_LOCAL_ROBOT")]
    pub allow_local_robot: bool,
    /// Where Alipay is asked for bills: its sandbox (https://openapi-sandbox.dl.alipaydev.com/gateway.do), or a stand-in
    /// on this machine (http://127.0.0.1:port/…); by default Alipay itself
    #[arg(long, env = "TILLWATCH_ALIPAY_GATEWAY", value_name = "URL")]
    pub alipay_gateway: Option<String>,
    /// Where WeChat Pay is asked for bills: a stand-in on this machine (http://127.0.0.1:port); by default WeChat Pay
    /// itself, which has no sandbox for bills
    #[arg(long, env = "TILLWATCH_WECHAT_PAY_GATEWAY", value_name = "URL")]
    pub wechat_pay_gateway: Option<String>,
    #[command(flatten)]
    pub log: LogOptions,
}

/// Backups that the server makes by itself.
#[derive(Args, Clone, Debug)]
pub struct BackupOptions {
    /// Make backups by itself: a folder of backups, best on another disk
    #[arg(long = "backup-to", env = "TILLWATCH_BACKUP_TO", value_name = "DIR")]
    pub to: Option<PathBuf>,
    /// Hours between them
    #[arg(
        long = "backup-every-hours",
        env = "TILLWATCH_BACKUP_EVERY_HOURS",
        default_value_t = 24,
        value_name = "HOURS"
    )]
    pub every_hours: u32,
    /// How many are kept; older ones are removed
    #[arg(long = "backup-keep", env = "TILLWATCH_BACKUP_KEEP", default_value_t = 14, value_name = "N")]
    pub keep: usize,
}

impl BackupOptions {
    /// The schedule, when one is wanted.
    pub fn schedule(&self) -> Option<BackupSchedule> {
        Some(BackupSchedule {
            folder: self.to.clone()?,
            every: chrono::TimeDelta::hours(i64::from(self.every_hours.max(1))),
            keep: self.keep.max(1),
        })
    }
}

/// How the log is written.
#[derive(Args, Clone, Debug)]
pub struct LogOptions {
    /// How log lines are written: human or json
    #[arg(long, env = "TILLWATCH_LOG", default_value = "human", value_parser = parse_log_format)]
    pub log: LogFormat,
    /// Which log lines are written, e.g. info,tillwatch::jobs=debug
    #[arg(
        long,
        env = "TILLWATCH_LOG_FILTER",
        default_value = "info,actix_server=warn",
        value_name = "FILTER"
    )]
    pub log_filter: String,
}

fn parse_log_format(text: &str) -> Result<LogFormat, String> {
    match text {
        "human" => Ok(LogFormat::Human),
        "json" => Ok(LogFormat::Json),
        other => Err(format!("`{other}` is neither human nor json")),
    }
}

/// Settings of a running server, checked.
#[derive(Clone, Debug)]
pub struct Config {
    pub data_dir: PathBuf,
    pub database: DatabaseAddress,
    pub durability: Durability,
    pub listen: SocketAddr,
    /// Scheme, host and port as browsers write them, without a slash at the end.
    pub public_origin: String,
    pub trusted_proxies: Vec<IpAddr>,
    pub metrics_token: Option<String>,
    pub allow_local_robot: bool,
    /// Where providers are asked for bills.
    pub gateways: Gateways,
    /// Promises broken on purpose, in tests of a debug build.
    pub sabotage: Sabotage,
}

impl Config {
    /// Checks the options.
    ///
    /// # Errors
    /// A sentence that names the option and how to mend it.
    pub fn of(data: &DataOptions, server: &ServerOptions) -> anyhow::Result<Self> {
        let public_origin = match &server.public_url {
            Some(url) => origin_of(url).with_context(|| format!("--public-url {url}"))?,
            None => local_origin(server.listen),
        };
        if let Some(token) = &server.metrics_token
            && token.len() < METRICS_TOKEN_CHARS_MIN
        {
            bail!("--metrics-token has fewer than {METRICS_TOKEN_CHARS_MIN} characters and could be guessed");
        }
        Ok(Self {
            data_dir: data.data_dir.clone(),
            database: data.database()?,
            durability: data.durability(),
            listen: server.listen,
            public_origin,
            trusted_proxies: server.trusted_proxy.clone(),
            metrics_token: server.metrics_token.clone(),
            allow_local_robot: server.allow_local_robot,
            gateways: Gateways::at(server.wechat_pay_gateway.as_deref(), server.alipay_gateway.as_deref())
                .context("reading --alipay-gateway and --wechat-pay-gateway")?,
            sabotage: Sabotage::default(),
        })
    }
}

/// Shortest token that `/metrics` may be guarded by.
const METRICS_TOKEN_CHARS_MIN: usize = 16;

/// The database file of a data folder, where nothing else is said.
pub fn database_path(data_dir: &std::path::Path) -> PathBuf {
    data_dir.join("tillwatch.db")
}

/// Where a browser on this machine finds a server that listens here.
pub fn local_origin(listen: SocketAddr) -> String {
    let host = match listen.ip() {
        ip if ip.is_unspecified() => "127.0.0.1".to_owned(),
        IpAddr::V6(ip) => format!("[{ip}]"),
        IpAddr::V4(ip) => ip.to_string(),
    };
    format!("http://{host}:{}", listen.port())
}

fn origin_of(url: &str) -> anyhow::Result<String> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let Some(host) = rest.map(|rest| rest.trim_end_matches('/')) else {
        bail!("must begin with https:// or http://");
    };
    if host.is_empty() || host.contains(['/', '?', '#', '@', ' ']) {
        bail!("must be scheme, host and port only, such as https://till.example.com");
    }
    Ok(url.trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_address_is_an_origin_only() {
        assert_eq!(origin_of("https://till.example.com/").unwrap(), "https://till.example.com");
        for bad in ["till.example.com", "ftp://x", "https://", "https://a/b", "https://me@a"] {
            assert!(origin_of(bad).is_err(), "{bad}");
        }
        assert_eq!(local_origin("0.0.0.0:80".parse().unwrap()), "http://127.0.0.1:80");
        assert_eq!(local_origin("[::1]:8080".parse().unwrap()), "http://[::1]:8080");
    }
}
