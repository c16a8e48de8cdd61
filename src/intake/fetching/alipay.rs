//! Alipay's gateway: a signed form, an answer whose signature covers the raw text of one node, an address for 30 seconds.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::client::BillClient;
use super::fault::Advice;
use super::{Answer, Fault, SigningKey, VerifyingKey, Wish};
use crate::domain::{BillKind, Clock, Instant};

const METHOD: &str = "alipay.data.dataservice.bill.downloadurl.query";
/// The node of the answer that is signed.
const NODE: &str = "alipay_data_dataservice_bill_downloadurl_query_response";
/// The node of answers to requests that the gateway itself refuses.
const ERROR_NODE: &str = "error_response";
/// What a form leaves as it is.
const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const BEIJING_SECONDS: i32 = 8 * 3600;

/// What an application signs with and believes.
pub struct App {
    /// 应用编号, APPID.
    pub id: String,
    pub key: SigningKey,
    /// 支付宝公钥: the provider's, not the application's own.
    pub platform: VerifyingKey,
}

#[derive(Deserialize)]
struct Node {
    #[serde(default)]
    code: String,
    #[serde(default)]
    msg: String,
    #[serde(default)]
    sub_code: String,
    #[serde(default)]
    sub_msg: String,
    #[serde(default)]
    bill_download_url: String,
}

/// What the gateway says.
#[derive(Debug, PartialEq, Eq)]
pub enum First {
    Address(String),
    NotThere,
}

/// The fields of a question, without its signature.
///
/// `None` for a kind that Alipay does not have.
pub fn fields(app_id: &str, wish: Wish, at: Instant) -> Option<BTreeMap<&'static str, String>> {
    let kind = match wish.kind {
        BillKind::Trade => "trade",
        BillKind::Account => "signcustomer",
        BillKind::FundBasic | BillKind::FundOperation | BillKind::FundFees => return None,
    };
    let beijing = chrono::FixedOffset::east_opt(BEIJING_SECONDS)?;
    let timestamp = at.with_timezone(&beijing).format("%Y-%m-%d %H:%M:%S").to_string();
    let content = format!(r#"{{"bill_type":"{kind}","bill_date":"{}"}}"#, wish.day);
    Some(BTreeMap::from([
        ("app_id", app_id.to_owned()),
        ("method", METHOD.to_owned()),
        ("format", "JSON".to_owned()),
        ("charset", "utf-8".to_owned()),
        ("sign_type", "RSA2".to_owned()),
        ("timestamp", timestamp),
        ("version", "1.0".to_owned()),
        ("biz_content", content),
    ]))
}

/// What is signed: the fields that are not empty, by name, before any encoding; `sign_type` is among them.
pub fn signed_text(fields: &BTreeMap<&'static str, String>) -> String {
    let given = fields.iter().filter(|(name, value)| **name != "sign" && !value.is_empty());
    given.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

impl App {
    /// The form of a question, signed.
    ///
    /// # Errors
    /// [`Fault::Key`], or the kind is not Alipay's.
    pub fn form(&self, wish: Wish, at: Instant) -> Result<String, Fault> {
        let mut fields = fields(&self.id, wish, at)
            .ok_or_else(|| Fault::told("KIND", wish.kind.as_str(), Advice::CheckAccount))?;
        let signature = self.key.sign(signed_text(&fields).as_bytes()).map_err(|_| Fault::Key)?;
        fields.insert("sign", signature);
        let encoded =
            |(name, value): (&&str, &String)| format!("{name}={}", utf8_percent_encode(value, FORM));
        Ok(fields.iter().map(encoded).collect::<Vec<_>>().join("&"))
    }

    /// Reads the answer. An address counts only when it is signed; so does a refusal that claims to be.
    ///
    /// # Errors
    /// [`Fault`].
    pub fn read_first(&self, status: u16, body: &[u8]) -> Result<First, Fault> {
        if status != 200 {
            return Err(Fault::Status(status));
        }
        let text = std::str::from_utf8(body).map_err(|_| Fault::AnswerUnreadable)?;
        let parts: HashMap<Cow<'_, str>, &RawValue> =
            serde_json::from_str(text).map_err(|_| Fault::AnswerUnreadable)?;
        let raw = parts.get(NODE).or_else(|| parts.get(ERROR_NODE)).ok_or(Fault::AnswerUnreadable)?.get();
        let signature: String = match parts.get("sign") {
            Some(sign) => serde_json::from_str(sign.get()).map_err(|_| Fault::AnswerUnreadable)?,
            None => String::new(),
        };
        // Verified over the text as it came, before it is read: made anew from its values it would differ.
        if !signature.is_empty() && !self.platform.verifies(raw.as_bytes(), &signature) {
            return Err(Fault::SignatureWrong);
        }
        let node: Node = serde_json::from_str(raw).map_err(|_| Fault::AnswerUnreadable)?;
        if node.code == "10000" {
            return match signature.as_str() {
                "" => Err(Fault::NotSigned),
                _ if node.bill_download_url.is_empty() => Err(Fault::AnswerUnreadable),
                _ => Ok(First::Address(node.bill_download_url)),
            };
        }
        if node.sub_code == "isp.bill_not_exist" {
            return Ok(First::NotThere);
        }
        Err(refusal(&node))
    }
}

fn refusal(node: &Node) -> Fault {
    let code = if node.sub_code.is_empty() { &node.code } else { &node.sub_code };
    let message = if node.sub_msg.is_empty() { &node.msg } else { &node.sub_msg };
    let advice = match (node.code.as_str(), node.sub_code.as_str()) {
        // The gateway's clock and ours: the next try may be right again.
        (_, "isv.invalid-timestamp") => Advice::Wait,
        (_, "isv.invalid-signature" | "isv.missing-signature" | "isv.invalid-app-id") => Advice::CheckKey,
        ("20001" | "40003" | "40006", _) => Advice::OpenAccess,
        ("40001" | "40002", _) => Advice::CheckAccount,
        _ => Advice::Wait,
    };
    Fault::told(code, message, advice)
}

/// Asks for a bill and brings it into `folder`, as the ZIP it is.
///
/// # Errors
/// [`Fault`].
pub async fn fetch(
    client: &BillClient,
    app: &App,
    wish: Wish,
    clock: &dyn Clock,
    folder: &Path,
) -> Result<Answer, Fault> {
    let form = app.form(wish, clock.now())?;
    let request = client
        .post(client.gateways().alipay())
        .header("Content-Type", "application/x-www-form-urlencoded;charset=utf-8")
        .body(form);
    let reply = client.answer(request).await?;
    match app.read_first(reply.status, &reply.body)? {
        First::NotThere => Ok(Answer::NotThere),
        First::Address(address) => {
            let address = client.gateways().alipay_download(&address)?;
            Ok(Answer::Bill(client.download(client.get(&address), folder).await?))
        }
    }
}

#[cfg(test)]
#[path = "alipay_tests.rs"]
mod tests;
