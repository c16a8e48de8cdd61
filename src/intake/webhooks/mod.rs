//! Webhooks: providers tell of payments as they happen.
//!
//! # The way of a notice
//!
//! 1. *Proved* (`prove`) over the bytes as they came, before anything of them is believed; where a provider signs named
//!    fields (Alipay, Adyen), nothing but those fields is read before. What cannot be proved is counted and never kept.
//! 2. *Read* (`Proved::read`): rows, or facts from which rows are made. An item that is proved and cannot be read is
//!    kept sealed for a while, so that the provider need not send it for days, and the others are taken.
//! 3. *Taken* (`WebhookDesk`): facts are kept, rows made of them (`derive`), rows go through the one door, and only after
//!    the commit the provider is answered. Whatever breaks before, it sends again.
//!
//! # What is sent twice, late, or in another order
//!
//! Nothing is remembered by the id of an event. A row's identity is the provider's own id of the payment, refund or
//! dispute, its version is what the notice itself says (or how much is known: `derive`), so a notice that comes again
//! changes nothing and an older one does not win over a newer one, through whichever way it came: a retry, a replay by
//! somebody who has read it on the way, a forwarded copy beside the direct one.

mod adyen;
mod alipay;
mod delivery;
mod derive;
mod desk;
mod exponents;
mod fields;
mod hyperswitch;
mod keys;
mod reading;
mod stripe;
#[cfg(test)]
mod tests;
mod unverified;
mod wechat_pay;

pub use delivery::{CLOCK_WINDOW, FORWARDED_WINDOW, NOTICE_BYTES_MAX, Notice, NoticeHeaders};
pub use derive::{Derived, FACTS_PER_SUBJECT_MAX, derive};
pub use desk::{Delivered, DeskError, WebhookDesk};
pub use keys::{
    Entered, EntryFault, KEY_NAME_CHARS_MAX, Key, Keys, SECRET_BYTES_MAX, SecretKind, read_secret,
};
pub use reading::{EndpointContext, Fact, Fault, FaultCode, Reading};
pub use unverified::Unverified;

/// Providers whose notices are understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Provider {
    WechatPay,
    Alipay,
    Stripe,
    Adyen,
    Hyperswitch,
}

impl Provider {
    /// All of them, in the order of a form.
    pub const ALL: [Self; 5] = [Self::WechatPay, Self::Alipay, Self::Stripe, Self::Adyen, Self::Hyperswitch];

    /// The word in addresses, in the database and in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WechatPay => "wechat_pay",
            Self::Alipay => "alipay",
            Self::Stripe => "stripe",
            Self::Adyen => "adyen",
            Self::Hyperswitch => "hyperswitch",
        }
    }

    /// The provider of a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|provider| provider.as_str() == word)
    }

    /// The name of this way in, as accounts name their source of record.
    pub const fn feed(self) -> &'static str {
        match self {
            Self::WechatPay => "webhook:wechat_pay",
            Self::Alipay => "webhook:alipay",
            Self::Stripe => "webhook:stripe",
            Self::Adyen => "webhook:adyen",
            Self::Hyperswitch => "webhook:hyperswitch",
        }
    }

    /// The secrets that its notices are proved and opened with; all of them are needed.
    pub const fn secret_kinds(self) -> &'static [SecretKind] {
        match self {
            Self::WechatPay => &[SecretKind::PublicKey, SecretKind::ApiV3Key],
            Self::Alipay => &[SecretKind::PublicKey],
            Self::Stripe | Self::Hyperswitch => &[SecretKind::SigningSecret],
            Self::Adyen => &[SecretKind::HmacKey],
        }
    }
}

/// A notice that the provider made for this endpoint.
#[derive(Debug)]
pub struct Proved(ProvedBy);

#[derive(Debug)]
enum ProvedBy {
    WechatPay(wechat_pay::Proved),
    Alipay(alipay::Proved),
    Stripe(stripe::Proved),
    Adyen(adyen::Proved),
    Hyperswitch(hyperswitch::Proved),
}

/// Proves a notice.
///
/// # Errors
/// [`Unverified`]: nothing of it may be believed.
pub fn prove(
    provider: Provider,
    notice: &Notice<'_>,
    keys: &Keys,
    context: &EndpointContext<'_>,
) -> Result<Proved, Unverified> {
    let proved = match provider {
        Provider::WechatPay => ProvedBy::WechatPay(wechat_pay::prove(notice, keys, context)?),
        Provider::Alipay => ProvedBy::Alipay(alipay::prove(notice, keys, context)?),
        Provider::Stripe => ProvedBy::Stripe(stripe::prove(notice, keys)?),
        Provider::Adyen => ProvedBy::Adyen(adyen::prove(notice, keys, context)?),
        Provider::Hyperswitch => ProvedBy::Hyperswitch(hyperswitch::prove(notice, keys, context)?),
    };
    Ok(Proved(proved))
}

impl Proved {
    /// What it says.
    pub fn read(&self, context: &EndpointContext<'_>) -> Reading {
        match &self.0 {
            ProvedBy::WechatPay(proved) => proved.read(context),
            ProvedBy::Alipay(proved) => proved.read(context),
            ProvedBy::Stripe(proved) => proved.read(context),
            ProvedBy::Adyen(proved) => proved.read(context),
            ProvedBy::Hyperswitch(proved) => proved.read(context),
        }
    }

    /// The rows of the keys that proved or opened it.
    pub fn keys_used(&self) -> &[String] {
        match &self.0 {
            ProvedBy::WechatPay(proved) => &proved.used,
            ProvedBy::Alipay(proved) => &proved.used,
            ProvedBy::Stripe(proved) => &proved.used,
            ProvedBy::Adyen(proved) => &proved.used,
            ProvedBy::Hyperswitch(proved) => &proved.used,
        }
    }
}
