use chrono::NaiveDate;
use serde::Deserialize;

use crate::domain::{BillKind, BillProvider, Instant, Store};
use crate::intake::fetching::{KeyError, PlatformKeys, SigningKey, VerifyingKey};
use crate::jobs::{newest_day, oldest_day};
use crate::store::{BillSource, BillSourceDraft, Opened, PublicPart};
use crate::web::error::WebError;
use crate::web::form::FieldErrors;

/// Digits of a merchant id or app id.
const ACCOUNT_DIGITS_MAX: usize = 32;
/// Hexadecimal digits of a certificate's serial number.
const SERIAL_DIGITS: usize = 40;
/// Characters of the id of a public key.
const PLATFORM_ID_CHARS_MAX: usize = 60;

/// The boxes of the kinds of bill.
#[derive(Clone, Default, Deserialize)]
pub(super) struct KindBoxes {
    #[serde(default)]
    trade: String,
    #[serde(default)]
    fund_basic: String,
    #[serde(default)]
    fund_operation: String,
    #[serde(default)]
    fund_fees: String,
    #[serde(default)]
    account_bill: String,
}

impl KindBoxes {
    fn is_ticked(&self, kind: BillKind) -> bool {
        let ticked = match kind {
            BillKind::Trade => &self.trade,
            BillKind::FundBasic => &self.fund_basic,
            BillKind::FundOperation => &self.fund_operation,
            BillKind::FundFees => &self.fund_fees,
            BillKind::Account => &self.account_bill,
        };
        !ticked.is_empty()
    }

    /// The kinds that are ticked, of those the provider has.
    pub(super) fn read(&self, provider: BillProvider, errors: &mut FieldErrors) -> Vec<BillKind> {
        let kinds: Vec<_> = provider.kinds().iter().copied().filter(|kind| self.is_ticked(*kind)).collect();
        if kinds.is_empty() {
            errors.add("kinds", "fetching-kinds-wrong");
        }
        kinds
    }
}

/// The name of a kind's box.
pub(super) const fn box_name(kind: BillKind) -> &'static str {
    match kind {
        // `account` is another field of the forms.
        BillKind::Account => "account_bill",
        other => other.as_str(),
    }
}

/// A day that the provider still has.
pub(super) fn first_day(
    provider: BillProvider,
    typed: &str,
    now: Instant,
    errors: &mut FieldErrors,
) -> Option<NaiveDate> {
    let in_reach = oldest_day(provider, now)..=newest_day(now);
    let day = typed.trim().parse().ok().filter(|day| in_reach.contains(day));
    if day.is_none() {
        errors.add("first_day", "fetching-first-day-wrong");
    }
    day
}

/// Credentials as they are pasted. Never printed: it holds a private key.
#[derive(Clone, Default, Deserialize)]
pub(super) struct AccountForm {
    provider: String,
    of_store: String,
    account: String,
    #[serde(default)]
    serial: String,
    private_key: String,
    #[serde(default)]
    platform_id: String,
    platform_keys: String,
}

/// What each provider's form calls its fields, for errors and for what was typed: both forms stand on one page.
struct Names {
    account: &'static str,
    private_key: &'static str,
    platform_keys: &'static str,
}

const WECHAT_PAY: Names =
    Names { account: "wx_account", private_key: "wx_private_key", platform_keys: "wx_platform_keys" };
const ALIPAY: Names =
    Names { account: "ali_account", private_key: "ali_private_key", platform_keys: "ali_platform_keys" };

impl AccountForm {
    /// What was typed, to be shown again; never the private key.
    pub(super) fn without_secrets(self) -> Self {
        Self { private_key: String::new(), ..self }
    }

    /// What was typed into this provider's form.
    pub(super) fn of(&self, provider: &str, field: &str) -> &str {
        if self.provider != provider {
            return "";
        }
        match field {
            "account" => &self.account,
            "serial" => &self.serial,
            "platform_id" => &self.platform_id,
            "platform_keys" => &self.platform_keys,
            "of_store" => &self.of_store,
            _ => "",
        }
    }

    /// True when this provider's form was sent and is shown again.
    pub(super) fn is_of(&self, provider: &str) -> bool {
        self.provider == provider
    }

    /// The account that was typed in; `None` when a field is wrong, noted in `errors`.
    pub(super) fn read(
        &self,
        stores: &[&Store],
        known: &[(Store, BillSource)],
        now: Instant,
        errors: &mut FieldErrors,
    ) -> Result<Option<BillSourceDraft>, WebError> {
        let provider = BillProvider::parse(&self.provider).ok_or(WebError::BadRequest)?;
        let store = stores.iter().find(|store| store.slug == self.of_store).ok_or(WebError::BadRequest)?;
        let names = if provider == BillProvider::WechatPay { WECHAT_PAY } else { ALIPAY };
        let account = self.account.trim();
        let is_number = account.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number || !(1..=ACCOUNT_DIGITS_MAX).contains(&account.len()) {
            errors.add(names.account, "fetching-account-wrong");
        }
        let serial = self.read_serial(provider, errors);
        let key = SigningKey::read(&self.private_key);
        let key = key.map_err(|error| errors.add(names.private_key, sentence_of(error))).ok();
        let own = key.as_ref().map(SigningKey::fingerprint).unwrap_or_default();
        if let Err(key) = self.check_platform_keys(provider, &own) {
            errors.add(names.platform_keys, key);
        }
        if !errors.is_empty() {
            return Ok(None);
        }
        let same = |(_, source): &&(Store, BillSource)| {
            (source.store, source.provider, source.account.as_str()) == (store.id, provider, account)
        };
        // What is fetched is chosen beside the switch; what was chosen there before stays.
        let known = known.iter().find(same).map(|(_, source)| source);
        Ok(Some(BillSourceDraft {
            store: store.id,
            provider,
            account: account.to_owned(),
            kinds: known.map_or_else(|| vec![BillKind::Trade], |source| source.kinds.clone()),
            is_on: known.is_some_and(|source| source.is_on),
            first_day: known.map_or_else(|| newest_day(now), |source| source.first_day),
            public: PublicPart {
                fingerprint: own,
                certificate_serial: serial,
                platform_id: self.platform_id.trim().to_owned(),
                platform_keys: self.platform_keys.trim().to_owned(),
            },
            private_key: Opened::new(self.private_key.clone().into_bytes()),
        }))
    }

    fn read_serial(&self, provider: BillProvider, errors: &mut FieldErrors) -> String {
        if provider == BillProvider::Alipay {
            return String::new();
        }
        let serial: String = self.serial.chars().filter(|c| !c.is_whitespace() && *c != ':').collect();
        if serial.len() != SERIAL_DIGITS || !serial.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            errors.add("serial", "fetching-serial-wrong");
        }
        serial.to_ascii_uppercase()
    }

    /// The provider's keys, which must not be the merchant's own.
    fn check_platform_keys(&self, provider: BillProvider, own: &str) -> Result<(), &'static str> {
        let id = self.platform_id.trim();
        let is_plain = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !is_plain || id.len() > PLATFORM_ID_CHARS_MAX {
            return Err("fetching-key-no_id");
        }
        let fingerprints: Vec<String> = match provider {
            BillProvider::WechatPay => PlatformKeys::read(&self.platform_keys, id)
                .map_err(sentence_of)?
                .shown()
                .map(|(_, fingerprint)| fingerprint)
                .collect(),
            BillProvider::Alipay => {
                vec![VerifyingKey::read(&self.platform_keys).map_err(sentence_of)?.fingerprint()]
            }
        };
        if fingerprints.iter().any(|one| one == own) { Err("fetching-key-own") } else { Ok(()) }
    }
}

/// The sentence about a key.
const fn sentence_of(error: KeyError) -> &'static str {
    match error {
        KeyError::TooLong => "fetching-key-too_long",
        KeyError::Unreadable => "fetching-key-unreadable",
        KeyError::Encrypted => "fetching-key-encrypted",
        KeyError::PublicInstead => "fetching-key-public",
        KeyError::PrivateInstead => "fetching-key-private",
        KeyError::Unusable => "fetching-key-unusable",
        KeyError::NoId => "fetching-key-no_id",
        KeyError::TooMany => "fetching-key-too_many",
    }
}
