//! WeChat Pay, interface v3: a signed question, a signed answer with an address and a hash, a signed second question.

use std::path::Path;

use serde::Deserialize;

use super::client::{BillClient, Reply, SignatureHead};
use super::fault::Advice;
use super::unpack::unpack_and_check;
use super::{Answer, Fault, PlatformKeys, SigningKey, Wish};
use crate::domain::{BillKind, Clock, Instant};

/// The scheme of requests and the only signature type of answers.
const SCHEME: &str = "WECHATPAY2-SHA256-RSA2048";
/// How far the answer's time may be from ours, either way.
pub const CLOCK_SECONDS_MAX: i64 = 300;
/// Bytes of chance in a request.
const NONCE_BYTES: usize = 16;

/// What a merchant signs with and believes.
pub struct Merchant {
    /// 商户号.
    pub id: String,
    /// Serial number of the merchant's API certificate, to which `key` belongs.
    pub serial: String,
    pub key: SigningKey,
    pub platform: PlatformKeys,
}

/// What a signed answer promises.
#[derive(Debug, Deserialize, PartialEq, Eq)]
pub struct Ticket {
    hash_type: String,
    pub hash_value: String,
    pub download_url: String,
}

#[derive(Deserialize)]
struct Refused {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

/// What the first answer says.
#[derive(Debug, PartialEq, Eq)]
pub enum First {
    Ticket(Ticket),
    NotReady,
    NoActivity,
    /// "No activity" without a signature: it may come from anybody on the way, and is asked again before it counts.
    NotThere,
}

impl Merchant {
    /// The `Authorization` of a request.
    ///
    /// # Errors
    /// [`Fault::Key`].
    pub fn authorization(
        &self,
        method: &str,
        path_and_query: &str,
        body: &str,
        at: Instant,
        nonce: &str,
    ) -> Result<String, Fault> {
        let timestamp = at.timestamp();
        let text = format!("{method}\n{path_and_query}\n{timestamp}\n{nonce}\n{body}\n");
        let signature = self.key.sign(text.as_bytes()).map_err(|_| Fault::Key)?;
        Ok(format!(
            "{SCHEME} mchid=\"{}\",nonce_str=\"{nonce}\",timestamp=\"{timestamp}\",serial_no=\"{}\",signature=\"{signature}\"",
            self.id, self.serial
        ))
    }

    /// Believes an answer, or not.
    ///
    /// # Errors
    /// [`Fault`]: not signed, another's signature, an unknown key, a clock that differs.
    pub fn verify(&self, head: &SignatureHead, body: &[u8], now: Instant) -> Result<(), Fault> {
        let (Some(timestamp), Some(nonce), Some(serial), Some(signature)) =
            (&head.timestamp, &head.nonce, &head.serial, &head.signature)
        else {
            return Err(Fault::NotSigned);
        };
        if head.kind.as_ref().is_some_and(|kind| kind != SCHEME) {
            return Err(Fault::SignatureWrong);
        }
        let key = self.platform.get(serial).ok_or_else(|| Fault::KeyUnknown(plain(serial)))?;
        let mut text = format!("{timestamp}\n{nonce}\n").into_bytes();
        text.extend_from_slice(body);
        text.push(b'\n');
        if !key.verifies(&text, signature) {
            return Err(Fault::SignatureWrong);
        }
        let seconds: i64 = timestamp.parse().map_err(|_| Fault::SignatureWrong)?;
        // Equal to the window is outside it, as in the provider's own library.
        match now.timestamp().saturating_sub(seconds) {
            apart if apart.saturating_abs() >= CLOCK_SECONDS_MAX => Err(Fault::ClockDiffers(apart)),
            _ => Ok(()),
        }
    }

    /// Reads the first answer. A success, and "no activity", count only when they are signed.
    ///
    /// # Errors
    /// [`Fault`].
    pub fn read_first(&self, reply: &Reply, now: Instant) -> Result<First, Fault> {
        let is_signed = reply.head.signature.is_some();
        if is_signed || reply.status == 200 {
            self.verify(&reply.head, &reply.body, now)?;
        }
        if reply.status == 200 {
            let ticket: Ticket = serde_json::from_slice(&reply.body).map_err(|_| Fault::AnswerUnreadable)?;
            let is_known = ticket.hash_type.eq_ignore_ascii_case("SHA1");
            return if is_known { Ok(First::Ticket(ticket)) } else { Err(Fault::AnswerUnreadable) };
        }
        let Ok(refused) = serde_json::from_slice::<Refused>(&reply.body) else {
            return Err(Fault::Status(reply.status));
        };
        match refused.code.as_str() {
            "STATEMENT_CREATING" => Ok(First::NotReady),
            "NO_STATEMENT_EXIST" if is_signed => Ok(First::NoActivity),
            "NO_STATEMENT_EXIST" => Ok(First::NotThere),
            "" => Err(Fault::Status(reply.status)),
            code => Err(Fault::told(code, &refused.message, advice(code))),
        }
    }
}

/// What helps against a code. Unknown ones are taken to pass: a wrong "never again" would lose days in silence.
fn advice(code: &str) -> Advice {
    match code {
        "SIGN_ERROR" => Advice::CheckKey,
        "NO_AUTH" => Advice::OpenAccess,
        "PARAM_ERROR" | "MCH_NOT_EXISTS" | "APPID_MCHID_NOT_MATCH" | "RESOURCE_NOT_EXISTS" => {
            Advice::CheckAccount
        }
        _ => Advice::Wait,
    }
}

/// Path and query of the first question; `None` for a kind that WeChat Pay does not have.
pub fn path_of(wish: Wish) -> Option<String> {
    let day = wish.day;
    let fund = |account: &str| {
        Some(format!("/v3/bill/fundflowbill?bill_date={day}&account_type={account}&tar_type=GZIP"))
    };
    match wish.kind {
        BillKind::Trade => Some(format!("/v3/bill/tradebill?bill_date={day}&bill_type=ALL&tar_type=GZIP")),
        BillKind::FundBasic => fund("BASIC"),
        BillKind::FundOperation => fund("OPERATION"),
        BillKind::FundFees => fund("FEES"),
        BillKind::Account => None,
    }
}

/// Asks for a bill and brings it into `folder`.
///
/// # Errors
/// [`Fault`].
pub async fn fetch(
    client: &BillClient,
    merchant: &Merchant,
    wish: Wish,
    clock: &dyn Clock,
    folder: &Path,
) -> Result<Answer, Fault> {
    let path = path_of(wish).ok_or_else(|| Fault::told("KIND", wish.kind.as_str(), Advice::CheckAccount))?;
    let address = client.gateways().wechat_pay(&path)?;
    let question = signed(client, merchant, &address, clock)?.header("Accept", "application/json");
    let reply = client.answer(question).await?;
    let ticket = match merchant.read_first(&reply, clock.now())? {
        First::NotReady => return Ok(Answer::NotReady),
        First::NoActivity => return Ok(Answer::NoActivity),
        First::NotThere => return Ok(Answer::NotThere),
        First::Ticket(ticket) => ticket,
    };
    let address = client.gateways().wechat_pay_download(&ticket.download_url)?;
    let question = signed(client, merchant, &address, clock)?.header("Accept", "*/*");
    let packed = client.download(question, folder).await?;
    let folder = folder.to_owned();
    let checked = tokio::task::spawn_blocking(move || unpack_and_check(&packed, &folder, &ticket.hash_value));
    let bill = checked.await.map_err(|_| Fault::Disk("the unpacking thread died".to_owned()))??;
    Ok(Answer::Bill(bill))
}

/// A GET with our signature over path and query as they are sent.
fn signed(
    client: &BillClient,
    merchant: &Merchant,
    address: &reqwest::Url,
    clock: &dyn Clock,
) -> Result<reqwest::RequestBuilder, Fault> {
    let mut path = address.path().to_owned();
    if let Some(query) = address.query() {
        path.push('?');
        path.push_str(query);
    }
    let authorization = merchant.authorization("GET", &path, "", clock.now(), &nonce()?)?;
    let mut request = client.get(address).header("Authorization", authorization);
    if let Some(id) = merchant.platform.public_key_id() {
        // Asks to be answered with this key while a merchant changes from certificates to it.
        request = request.header("Wechatpay-Serial", id);
    }
    Ok(request)
}

fn nonce() -> Result<String, Fault> {
    use std::fmt::Write;
    let mut bytes = [0_u8; NONCE_BYTES];
    getrandom::fill(&mut bytes).map_err(|_| Fault::Key)?;
    Ok(bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02X}");
        text
    }))
}

/// An id from an answer that is not believed, for a sentence.
fn plain(text: &str) -> String {
    text.chars().filter(char::is_ascii_graphic).take(60).collect()
}

#[cfg(test)]
#[path = "wechat_pay_tests.rs"]
mod tests;
