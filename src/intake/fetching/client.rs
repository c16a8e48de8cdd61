//! The way to the providers: known hosts only, no redirects, nothing inside this network, bounded in time and size.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{RequestBuilder, Url};
use tempfile::{NamedTempFile, TempPath};
use tokio::io::AsyncWriteExt;

use super::super::bills::FILE_BYTES_MAX;
use super::Fault;
use super::unpack::disk;

/// Longest answer to a question; the bill itself may be longer.
pub const ANSWER_BYTES_MAX: usize = 64 << 10;
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// How long an answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// How long nothing may come while a bill is downloaded.
const SILENCE_MAX: Duration = Duration::from_mins(1);
/// How long a bill may take.
const DOWNLOAD_WITHIN: Duration = Duration::from_mins(30);

const WECHAT_PAY: &str = "https://api.mch.weixin.qq.com";
const ALIPAY: &str = "https://openapi.alipay.com/gateway.do";
/// Alipay's sandbox, for trying out with its test merchants.
const ALIPAY_SANDBOX: &str = "https://openapi-sandbox.dl.alipaydev.com/gateway.do";
/// Where Alipay's bills lie; the address may be plain `http`, and is taken as such here and nowhere else.
const ALIPAY_BILLS: &str = "dwbillcenter.alipay.com";
/// Where those of its sandbox lie.
const ALIPAY_SANDBOX_BILLS: &str = ".alipaydev.com";

/// Where the providers are asked. The real ones, unless told otherwise for a sandbox or a stand-in on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gateways {
    wechat_pay: String,
    alipay: String,
}

impl Default for Gateways {
    fn default() -> Self {
        Self { wechat_pay: WECHAT_PAY.to_owned(), alipay: ALIPAY.to_owned() }
    }
}

impl std::fmt::Display for Gateways {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}, {}", self.wechat_pay, self.alipay)
    }
}

/// Why an address is not taken as a provider's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "only the provider's own address, its sandbox, or http://127.0.0.1:port for a stand-in on this machine is taken"
)]
pub struct NoGateway;

/// True for a stand-in on this machine, by number so that no name service is asked.
fn is_local(url: &Url) -> bool {
    url.scheme() == "http" && url.host_str() == Some("127.0.0.1")
}

impl Gateways {
    /// Gateways other than the real ones. `None` leaves the real one.
    ///
    /// # Errors
    /// [`NoGateway`]: bills and signatures go to the provider, its sandbox or this machine, nowhere else.
    pub fn at(wechat_pay: Option<&str>, alipay: Option<&str>) -> Result<Self, NoGateway> {
        let local = |text: &str| Url::parse(text).is_ok_and(|url| is_local(&url));
        let mut gateways = Self::default();
        if let Some(text) = wechat_pay.map(|text| text.trim().trim_end_matches('/')) {
            if text != WECHAT_PAY && !local(text) {
                return Err(NoGateway);
            }
            text.clone_into(&mut gateways.wechat_pay);
        }
        if let Some(text) = alipay.map(str::trim) {
            if ![ALIPAY, ALIPAY_SANDBOX].contains(&text) && !local(text) {
                return Err(NoGateway);
            }
            text.clone_into(&mut gateways.alipay);
        }
        Ok(gateways)
    }

    /// WeChat Pay's address of a path.
    pub(super) fn wechat_pay(&self, path: &str) -> Result<Url, Fault> {
        Url::parse(&format!("{}{path}", self.wechat_pay)).map_err(|_| Fault::AnswerUnreadable)
    }

    pub(super) fn alipay(&self) -> &str {
        &self.alipay
    }

    /// The address of a WeChat Pay bill, if it lies where bills lie.
    pub(super) fn wechat_pay_download(&self, text: &str) -> Result<Url, Fault> {
        let url = plain_address(text)?;
        let home = self.wechat_pay("/")?;
        if url.origin() == home.origin() { Ok(url) } else { Err(elsewhere(&url)) }
    }

    /// The address of an Alipay bill, if it lies where bills lie.
    pub(super) fn alipay_download(&self, text: &str) -> Result<Url, Fault> {
        let url = plain_address(text)?;
        let host = url.host_str().unwrap_or_default();
        let is_web = matches!((url.scheme(), url.port()), ("http" | "https", None));
        let home = Url::parse(&self.alipay).map_err(|_| Fault::AnswerUnreadable)?;
        let is_right = if is_local(&home) {
            url.origin() == home.origin()
        } else if self.alipay == ALIPAY_SANDBOX {
            is_web && (host == ALIPAY_BILLS || host.ends_with(ALIPAY_SANDBOX_BILLS))
        } else {
            is_web && host == ALIPAY_BILLS
        };
        if is_right { Ok(url) } else { Err(elsewhere(&url)) }
    }
}

/// An address without a name or password in it.
fn plain_address(text: &str) -> Result<Url, Fault> {
    let url = Url::parse(text).map_err(|_| Fault::Elsewhere("?".to_owned()))?;
    if url.username().is_empty() && url.password().is_none() { Ok(url) } else { Err(elsewhere(&url)) }
}

fn elsewhere(url: &Url) -> Fault {
    let host = url.host_str().unwrap_or("?");
    Fault::Elsewhere(format!("{}://{host}", url.scheme()).chars().take(80).collect())
}

/// What an answer is signed with; `None` where a header is missing or no text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SignatureHead {
    pub timestamp: Option<String>,
    pub nonce: Option<String>,
    pub serial: Option<String>,
    pub signature: Option<String>,
    pub kind: Option<String>,
}

/// A whole answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    pub head: SignatureHead,
    pub body: Vec<u8>,
}

/// The client. It follows no redirect, uses no proxy, and reaches no address inside a network.
pub struct BillClient {
    http: reqwest::Client,
    gateways: Gateways,
    /// How long an answer may take.
    answer_within: Duration,
    download_bytes_max: u64,
}

impl BillClient {
    /// A client for these gateways.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(gateways: Gateways) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT_WITHIN)
            .read_timeout(SILENCE_MAX)
            .user_agent(concat!("Tillwatch/", env!("CARGO_PKG_VERSION")))
            .dns_resolver(Arc::new(OutsideOnly))
            .build()?;
        Ok(Self { http, gateways, answer_within: ANSWER_WITHIN, download_bytes_max: FILE_BYTES_MAX })
    }

    /// The same with tighter limits, for tests that cannot wait for the real ones.
    #[must_use]
    pub const fn limited(mut self, answer_within: Duration, download_bytes_max: u64) -> Self {
        self.answer_within = answer_within;
        self.download_bytes_max = download_bytes_max;
        self
    }

    pub(super) const fn gateways(&self) -> &Gateways {
        &self.gateways
    }

    pub(super) fn get(&self, url: &Url) -> RequestBuilder {
        self.http.get(url.clone())
    }

    pub(super) fn post(&self, url: &str) -> RequestBuilder {
        self.http.post(url)
    }

    /// Sends a question and reads its whole answer.
    pub(super) async fn answer(&self, request: RequestBuilder) -> Result<Reply, Fault> {
        let mut answer = request.timeout(self.answer_within).send().await.map_err(Fault::of_transport)?;
        let status = answer.status().as_u16();
        if answer.status().is_redirection() {
            return Err(Fault::Redirected);
        }
        let head =
            |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let head = SignatureHead {
            timestamp: head("Wechatpay-Timestamp"),
            nonce: head("Wechatpay-Nonce"),
            serial: head("Wechatpay-Serial"),
            signature: head("Wechatpay-Signature"),
            kind: head("Wechatpay-Signature-Type"),
        };
        let mut body = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(Fault::of_transport)? {
            if body.len() + piece.len() > ANSWER_BYTES_MAX {
                return Err(Fault::AnswerTooLong);
            }
            body.extend_from_slice(&piece);
        }
        Ok(Reply { status, head, body })
    }

    /// Brings a bill into `folder`, straight to the disk.
    pub(super) async fn download(&self, request: RequestBuilder, folder: &Path) -> Result<TempPath, Fault> {
        let mut answer = request.timeout(DOWNLOAD_WITHIN).send().await.map_err(Fault::of_transport)?;
        if answer.status().is_redirection() {
            return Err(Fault::Redirected);
        }
        if answer.status().as_u16() != 200 {
            return Err(Fault::Status(answer.status().as_u16()));
        }
        let (file, path) = NamedTempFile::new_in(folder).map_err(|error| disk(&error))?.into_parts();
        let mut file = tokio::fs::File::from_std(file);
        let mut total = 0_u64;
        while let Some(piece) = answer.chunk().await.map_err(|error| cut_off(&error))? {
            total += u64::try_from(piece.len()).unwrap_or(u64::MAX);
            if total > self.download_bytes_max {
                return Err(Fault::TooLarge);
            }
            file.write_all(&piece).await.map_err(|error| disk(&error))?;
        }
        file.flush().await.map_err(|error| disk(&error))?;
        Ok(path)
    }
}

/// A body that ends early is a bill that was cut off.
fn cut_off(error: &reqwest::Error) -> Fault {
    if error.is_timeout() { Fault::TooSlow } else { Fault::CutOff }
}

/// Answers names with addresses of the open internet only, at the moment of connecting: a name that leads inside leads
/// nowhere.
struct OutsideOnly;

impl Resolve for OutsideOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let outside: Vec<SocketAddr> = found.filter(|address| is_outside(address.ip())).collect();
            if outside.is_empty() {
                return Err("the name leads to no address of the open internet".into());
            }
            Ok(Box::new(outside.into_iter()) as Addrs)
        })
    }
}

/// True for addresses of the open internet.
fn is_outside(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_outside_v4(ip),
        IpAddr::V6(ip) => is_outside_v6(ip),
    }
}

fn is_outside_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let is_special = ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_multicast()
        || ip.is_documentation()
        || matches!((a, b, c), (0 | 240..=255, _, _) | (100, 64..=127, _) | (192, 0, 0) | (198, 18 | 19, _));
    !is_special
}

fn is_outside_v6(ip: Ipv6Addr) -> bool {
    let parts = ip.segments();
    let embedded = || {
        let [.., high, low] = parts;
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        Ipv4Addr::new(a, b, c, d)
    };
    match parts {
        // v4-mapped and NAT64 lead where the v4 address inside leads.
        [0, 0, 0, 0, 0, 0xffff, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => is_outside_v4(embedded()),
        // The global unicast range, without documentation, 6to4 and Teredo, which wrap v4 addresses.
        [0x2001, 0x0db8 | 0, ..] | [0x2002, ..] => false,
        [first, ..] => (0x2000..=0x3fff).contains(&first),
    }
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
