//! Bills that Tillwatch fetches by itself: what is asked, how it is signed, when an answer is believed.
//!
//! Two providers have an interface for it. WeChat Pay signs its answers but not the bill, whose SHA-1 stands in the signed
//! answer; Alipay signs its answer, and nothing vouches for the file behind the address in it but the address itself,
//! which may be plain `http`: such a bill is as good as its own summary. Nothing here decides *when* to ask: that is
//! `jobs::fetch_bills`.

pub mod alipay;
mod client;
mod fault;
mod keys;
mod unpack;
pub mod wechat_pay;

pub use client::{ANSWER_BYTES_MAX, BillClient, Gateways};
pub use fault::{Advice, Fault};
pub use keys::{KEY_TEXT_BYTES_MAX, KeyError, PlatformKeys, SigningKey, VerifyingKey};

use std::path::Path;

use chrono::NaiveDate;
use tempfile::TempPath;

use crate::domain::{BillKind, Clock};

/// What a merchant needs to fetch bills. Never shows itself: it holds a private key.
pub enum Credentials {
    WechatPay(wechat_pay::Merchant),
    Alipay(alipay::App),
}

/// One bill to be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    pub kind: BillKind,
    /// The provider's own day, in Beijing.
    pub day: NaiveDate,
}

/// What a provider says to a wish, once its answer is believed.
#[derive(Debug)]
pub enum Answer {
    /// The bill, as a file that goes when this is dropped.
    Bill(TempPath),
    /// It is being made: ask again.
    NotReady,
    /// There was nothing on that day.
    NoActivity,
    /// There is no bill, and the provider does not tell "not yet" from "nothing happened".
    NotThere,
}

/// Asks for a bill and brings it into `folder`.
///
/// # Errors
/// [`Fault`].
pub async fn fetch(
    client: &BillClient,
    credentials: &Credentials,
    wish: Wish,
    clock: &dyn Clock,
    folder: &Path,
) -> Result<Answer, Fault> {
    match credentials {
        Credentials::WechatPay(merchant) => wechat_pay::fetch(client, merchant, wish, clock, folder).await,
        Credentials::Alipay(app) => alipay::fetch(client, app, wish, clock, folder).await,
    }
}
