//! A stand-in for WeChat Pay and Alipay on this machine: it checks what is asked with the merchant's public key, signs what
//! it says, and lies on demand.

use std::collections::{BTreeMap, VecDeque};
use std::io::Write;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use chrono::{FixedOffset, NaiveDateTime};
use percent_encoding::percent_decode_str;
use tillwatch::intake::fetching::{SigningKey, VerifyingKey};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub const MERCHANT_KEY: &str = include_str!("../../fixtures/fetching/merchant_pkcs8.pem");
pub const MERCHANT_PUBLIC: &str = include_str!("../../fixtures/fetching/merchant_public.pem");
pub const PLATFORM_KEY: &str = include_str!("../../fixtures/fetching/platform_private.pem");
pub const PLATFORM_PUBLIC: &str = include_str!("../../fixtures/fetching/platform_public.pem");
pub const PLATFORM_ID: &str = "PUB_KEY_ID_0114232134912410000000000000";
pub const MCHID: &str = "1900000109";
pub const SERIAL: &str = "408B07E79B8269FEC3D5D3E6AB8ED163A6A380DB";
pub const APP_ID: &str = "2021000000000001";

/// What the stand-in says to a question for a bill.
#[derive(Clone, Debug)]
pub enum Say {
    /// The bill, as it is on the disk of the provider: WeChat's goes out as gzip.
    Bill(Vec<u8>),
    /// "Not yet" (WeChat), "is not there" (Alipay).
    NotReady,
    NoActivity,
    NoActivityUnsigned,
    Refuse(u16, &'static str),
    /// A bill, and something is wrong with it.
    WrongHash,
    WrongSignature,
    Unsigned,
    UnknownKey,
    /// Signed an hour ago.
    Late,
    /// To be fetched from there.
    Elsewhere(&'static str),
    /// The question is answered with another address.
    Redirect(&'static str),
    /// The bill is.
    BillRedirect(&'static str),
    /// The connection ends in the middle of the bill.
    CutOff,
    /// The announced gzip ends in its middle, with the right length.
    HalfAGzip,
    TooLong,
    Slow,
    HangUp,
    NotJson,
}

#[derive(Default)]
struct Shared {
    says: VecDeque<Say>,
    /// Paths asked for, with the kind of bill.
    heard: Vec<String>,
    /// Why a signature of ours was refused.
    bad: Vec<String>,
    /// What lies behind the next download address.
    bill: Option<(Say, Vec<u8>)>,
}

#[derive(Clone)]
pub struct StandIn {
    pub address: String,
    pub now_s: Arc<AtomicI64>,
    shared: Arc<Mutex<Shared>>,
}

struct Request {
    method: String,
    path: String,
    heads: BTreeMap<String, String>,
    body: String,
}

impl StandIn {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let stand_in = Self { address, now_s: Arc::default(), shared: Arc::default() };
        let own = stand_in.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let own = own.clone();
                tokio::spawn(async move { own.serve(stream).await });
            }
        });
        stand_in
    }

    /// What to say to the next questions, in order; then "not yet".
    pub fn will_say(&self, says: impl IntoIterator<Item = Say>) {
        self.shared.lock().unwrap().says.extend(says);
    }

    /// Questions heard since the last time.
    pub fn heard(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.lock().unwrap().heard)
    }

    /// Why signatures of ours were refused.
    pub fn bad(&self) -> Vec<String> {
        self.shared.lock().unwrap().bad.clone()
    }

    async fn serve(&self, mut stream: TcpStream) {
        let Some(request) = read(&mut stream).await else { return };
        let wechat = request.path.starts_with("/v3/");
        let judged = if wechat {
            self.judge_wechat(&request)
        } else if request.path == "/gateway.do" {
            self.judge_alipay(&request)
        } else {
            Ok(())
        };
        if let Err(why) = judged {
            self.shared.lock().unwrap().bad.push(why);
            let body = r#"{"code":"SIGN_ERROR","message":"错误的签名"}"#;
            return write(&mut stream, "401 Unauthorized", &[], body.as_bytes()).await;
        }
        if request.path.contains("/billdownload/") || request.path.starts_with("/alipay-bill") {
            return self.send_bill(stream).await;
        }
        let asked = if wechat { request.path.clone() } else { form_of(&request.body)["biz_content"].clone() };
        let say = {
            let mut shared = self.shared.lock().unwrap();
            shared.heard.push(asked);
            shared.says.pop_front().unwrap_or(Say::NotReady)
        };
        match say {
            Say::HangUp => {}
            Say::Slow => tokio::time::sleep(Duration::from_secs(5)).await,
            Say::TooLong => write(&mut stream, "200 OK", &[], &vec![b' '; 1 << 20]).await,
            Say::NotJson => write(&mut stream, "200 OK", &[], b"<html>Welcome to the hotel</html>").await,
            Say::Redirect(to) => write(&mut stream, "302 Found", &[("location", to.to_owned())], b"").await,
            say if wechat => self.answer_wechat(stream, say).await,
            say => self.answer_alipay(stream, say).await,
        }
    }

    /// Our signature, checked with the merchant's public key over what arrived.
    fn judge_wechat(&self, request: &Request) -> Result<(), String> {
        let header = request.heads.get("authorization").ok_or("no Authorization")?;
        let pairs = header.strip_prefix("WECHATPAY2-SHA256-RSA2048 ").ok_or("another scheme")?;
        let pairs: BTreeMap<&str, &str> = pairs
            .split(',')
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (name, value.trim_matches('"')))
            .collect();
        let value = |name: &str| pairs.get(name).copied().ok_or(format!("no {name}"));
        if value("mchid")? != MCHID || value("serial_no")? != SERIAL {
            return Err("another merchant".to_owned());
        }
        let timestamp: i64 = value("timestamp")?.parse().map_err(|_| "no time")?;
        if (timestamp - self.now_s.load(Ordering::SeqCst)).abs() > 300 {
            return Err(format!("signed at {timestamp}"));
        }
        let accepts = if request.path.contains("/billdownload/") { "*/*" } else { "application/json" };
        if request.heads.get("accept").is_none_or(|accept| accept != accepts)
            || request.heads.get("user-agent").is_none_or(String::is_empty)
            || request.heads.get("wechatpay-serial").is_none_or(|id| id != PLATFORM_ID)
        {
            return Err("a header is missing".to_owned());
        }
        let text = format!(
            "{}\n{}\n{timestamp}\n{}\n{}\n",
            request.method,
            request.path,
            value("nonce_str")?,
            request.body
        );
        // A padded base64 ends in `=`, which `split_once` leaves with the value.
        verified(&text, value("signature")?)
    }

    fn judge_alipay(&self, request: &Request) -> Result<(), String> {
        let mut form = form_of(&request.body);
        let signature = form.remove("sign").ok_or("no sign")?;
        let time = NaiveDateTime::parse_from_str(&form["timestamp"], "%Y-%m-%d %H:%M:%S")
            .map_err(|e| e.to_string())?;
        let beijing = FixedOffset::east_opt(8 * 3600).unwrap();
        let apart = time.and_local_timezone(beijing).unwrap().timestamp() - self.now_s.load(Ordering::SeqCst);
        if form["app_id"] != APP_ID || form["sign_type"] != "RSA2" || apart.abs() > 300 {
            return Err(format!("another app, or signed {apart} s from now"));
        }
        let text = form.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&");
        verified(&text, &signature)
    }

    async fn answer_wechat(&self, mut stream: TcpStream, say: Say) {
        let mut address = format!("{}/v3/billdownload/file?token=t%2Bt&tartype=gzip", self.address);
        let (status, body) = match &say {
            Say::NotReady => ("400 Bad Request", refused("STATEMENT_CREATING")),
            Say::NoActivity | Say::NoActivityUnsigned => ("400 Bad Request", refused("NO_STATEMENT_EXIST")),
            Say::Refuse(403, code) => ("403 Forbidden", refused(code)),
            Say::Refuse(_, code) => ("500 Internal Server Error", refused(code)),
            say => {
                if let Say::Elsewhere(elsewhere) = say {
                    (*elsewhere).clone_into(&mut address);
                }
                ("200 OK", self.ticket(say, &address))
            }
        };
        let mut text = body.clone();
        if matches!(say, Say::WrongSignature) {
            text.push(' ');
        }
        let late = if matches!(say, Say::Late) { 3_600 } else { 0 };
        let timestamp = self.now_s.load(Ordering::SeqCst) - late;
        let signature = sign(&format!("{timestamp}\nchance\n{text}\n"));
        let serial = if matches!(say, Say::UnknownKey) { "5157F09E" } else { PLATFORM_ID };
        let heads = [
            ("Wechatpay-Timestamp", timestamp.to_string()),
            ("Wechatpay-Nonce", "chance".to_owned()),
            ("Wechatpay-Serial", serial.to_owned()),
            ("Wechatpay-Signature", signature),
        ];
        let is_signed = !matches!(say, Say::Unsigned | Say::NoActivityUnsigned);
        write(&mut stream, status, if is_signed { &heads } else { &[] }, body.as_bytes()).await;
    }

    /// Lays the bill out and says where.
    fn ticket(&self, say: &Say, address: &str) -> String {
        let bill = bill_of(say);
        let mut hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, &bill).as_ref().to_vec();
        if matches!(say, Say::WrongHash) {
            hash[0] ^= 1;
        }
        let hash = hash.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        packed.write_all(&bill).unwrap();
        self.shared.lock().unwrap().bill = Some((say.clone(), packed.finish().unwrap()));
        format!(r#"{{"hash_type":"SHA1","hash_value":"{hash}","download_url":"{address}"}}"#)
    }

    async fn answer_alipay(&self, mut stream: TcpStream, say: Say) {
        let address = format!("{}/alipay-bill?fileId=1", self.address);
        let node = match &say {
            Say::NotReady => {
                r#"{"code":"40004","msg":"Business Failed","sub_code":"isp.bill_not_exist","sub_msg":"账单不存在"}"#.to_owned()
            }
            Say::Refuse(_, code) => {
                format!(r#"{{"code":"40006","msg":"Insufficient Permissions","sub_code":"{code}","sub_msg":"权限不足"}}"#)
            }
            say => {
                let address = if let Say::Elsewhere(elsewhere) = say { *elsewhere } else { &address };
                self.shared.lock().unwrap().bill = Some((say.clone(), bill_of(say)));
                // As Alipay writes it, with escaped slashes: the signature is over this text.
                format!(r#"{{"code":"10000","msg":"Success","bill_download_url":"{}"}}"#, address.replace('/', "\\/"))
            }
        };
        let text =
            if matches!(say, Say::WrongSignature) { node.replace("10000", "10001") } else { node.clone() };
        let sign = if matches!(say, Say::Unsigned) { String::new() } else { sign(&text) };
        let body = format!(
            r#"{{"alipay_data_dataservice_bill_downloadurl_query_response":{node},"sign":"{sign}"}}"#
        );
        write(&mut stream, "200 OK", &[], body.as_bytes()).await;
    }

    async fn send_bill(&self, mut stream: TcpStream) {
        let Some((say, bytes)) = self.shared.lock().unwrap().bill.clone() else {
            return write(&mut stream, "404 Not Found", &[], b"").await;
        };
        let half = bytes.len() / 2;
        match say {
            Say::BillRedirect(to) => {
                write(&mut stream, "302 Found", &[("location", to.to_owned())], b"").await;
            }
            Say::HalfAGzip => write(&mut stream, "200 OK", &[], &bytes[..half]).await,
            Say::CutOff => {
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", bytes.len());
                stream.write_all(head.as_bytes()).await.unwrap();
                stream.write_all(&bytes[..half]).await.unwrap();
            }
            _ => write(&mut stream, "200 OK", &[], &bytes).await,
        }
    }
}

fn bill_of(say: &Say) -> Vec<u8> {
    if let Say::Bill(bytes) = say {
        bytes.clone()
    } else {
        b"no bill at all, but long enough to be cut in two".to_vec()
    }
}

fn refused(code: &str) -> String {
    format!(r#"{{"code":"{code}","message":"说明"}}"#)
}

fn sign(text: &str) -> String {
    SigningKey::read(PLATFORM_KEY).unwrap().sign(text.as_bytes()).unwrap()
}

fn verified(text: &str, signature: &str) -> Result<(), String> {
    let key = VerifyingKey::read(MERCHANT_PUBLIC).unwrap();
    if key.verifies(text.as_bytes(), signature) {
        Ok(())
    } else {
        Err(format!("not our signature: {text:?}"))
    }
}

fn form_of(body: &str) -> BTreeMap<String, String> {
    let decoded = |text: &str| percent_decode_str(text).decode_utf8().unwrap().into_owned();
    let pairs = body.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (decoded(name), decoded(value))).collect()
}

async fn read(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    let mut step = [0; 4096];
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at;
        }
        let read = stream.read(&mut step).await.unwrap_or(0);
        if read == 0 {
            return None;
        }
        bytes.extend_from_slice(&step[..read]);
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut lines = head.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let heads: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let length: usize = heads.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = bytes[end + 4..].to_vec();
    while body.len() < length {
        let read = stream.read(&mut step).await.unwrap();
        body.extend_from_slice(&step[..read]);
    }
    Some(Request {
        method: first.next()?.to_owned(),
        path: first.next()?.to_owned(),
        heads,
        body: String::from_utf8(body).unwrap(),
    })
}

async fn write(stream: &mut TcpStream, status: &str, heads: &[(&str, String)], body: &[u8]) {
    let mut head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n", body.len());
    for (name, value) in heads {
        head.extend([*name, ": ", value, "\r\n"]);
    }
    head.push_str("\r\n");
    // A client that has seen enough hangs up.
    if stream.write_all(head.as_bytes()).await.is_ok() {
        let _ = stream.write_all(body).await;
    }
}
