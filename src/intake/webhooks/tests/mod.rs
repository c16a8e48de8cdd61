//! Notices as providers send them, signed here or taken from samples; what is made of them in any order.

mod forged;
mod mutations;
mod order;
mod samples;
mod traps;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::LazyLock;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use serde_json::{Value, json};

use super::keys::to_hex;
use super::*;
use crate::domain::{Instant, LedgerLine, StoreId, Transaction, instant_from_ms, row_hash};
use crate::intake::Pseudonyms;
use crate::store::Opened;

/// The clock of the synthetic samples: 20 November 2026, 00:00 UTC.
pub const CLOCK_S: i64 = 1_795_132_800;
pub const API_V3_KEY: &str = "synthetic-apiv3-key-0123456789ab";
pub const STRIPE_SECRET: &str = "whsec_synthetic_0123456789abcdef";
pub const HYPERSWITCH_SECRET: &str = "synthetic_payment_response_hash_key";
pub const ADYEN_KEY: &str = "74F490DD33F7327BAECC88B2947C011FC02D014A473AAA33A8EC93E4DC069174";
const WECHAT_SERIAL: &str = "PUB_KEY_ID_0119000001092026112000000000000001";
pub static PSEUDONYMS: Pseudonyms = Pseudonyms::new([3; 32]);
/// The provider's key of notices that are made here.
static SIGNER: LazyLock<RsaKeyPair> = LazyLock::new(|| RsaKeyPair::generate(KeySize::Rsa2048).unwrap());

pub fn clock() -> Instant {
    instant_from_ms(CLOCK_S * 1000)
}

/// A file of the fixtures.
pub fn fixture(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/webhooks").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub fn fixture_text(name: &str) -> String {
    String::from_utf8(fixture(name)).unwrap()
}

/// A file of the samples beside the project, where they are.
pub fn sample(name: &str) -> Option<Vec<u8>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/samples").join(name);
    let bytes = std::fs::read(path).ok();
    if bytes.is_none() {
        println!("skipped: no ../shared/samples/{name}");
    }
    bytes
}

pub fn key(kind: SecretKind, name: &str, secret: &[u8]) -> Key {
    Key {
        id: format!("{}-{name}", kind.as_str()),
        kind,
        name: name.into(),
        secret: Opened::new(secret.to_vec()),
    }
}

/// The secrets of all samples and of what is made here.
pub fn keys(provider: Provider) -> Keys {
    let entered = |kind, name: &str, text: &str| {
        let entered = read_secret(provider, kind, name, text).unwrap();
        key(kind, &entered.name, entered.secret.reveal())
    };
    let own = |name| key(SecretKind::PublicKey, name, SIGNER.public_key().as_ref());
    Keys(match provider {
        Provider::WechatPay => vec![
            own("OWN"),
            entered(SecretKind::PublicKey, WECHAT_SERIAL, &fixture_text("wechat/synthetic_platform_pub.pem")),
            entered(SecretKind::ApiV3Key, "", API_V3_KEY),
        ],
        Provider::Alipay => vec![
            own("OWN"),
            entered(SecretKind::PublicKey, "", &fixture_text("alipay/synthetic_alipay_pub.pem")),
        ],
        Provider::Stripe => vec![entered(SecretKind::SigningSecret, "", STRIPE_SECRET)],
        Provider::Hyperswitch => vec![entered(SecretKind::SigningSecret, "", HYPERSWITCH_SECRET)],
        Provider::Adyen => vec![entered(SecretKind::HmacKey, "", ADYEN_KEY)],
    })
}

/// The merchant that the samples are of.
pub fn context(provider: Provider) -> EndpointContext<'static> {
    let account = match provider {
        Provider::WechatPay => "1900000109",
        Provider::Alipay => "2088000000000001",
        Provider::Stripe => "acct_1",
        Provider::Adyen => "AntoniStroinski",
        Provider::Hyperswitch => "merchant_syn",
    };
    let app_id = if provider == Provider::Alipay { "2021000000000001" } else { "" };
    EndpointContext {
        store: StoreId(1),
        account,
        app_id,
        manual_capture: false,
        test: false,
        pseudonyms: &PSEUDONYMS,
        now: clock(),
    }
}

/// A delivery.
#[derive(Clone, Debug)]
pub struct Sent {
    pub provider: Provider,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

impl Sent {
    pub fn headers(&self) -> NoticeHeaders {
        let value = |name: &str| self.headers.iter().find(|(known, _)| *known == name);
        NoticeHeaders::gather(|name| value(name).map(|(_, value)| value.as_str()))
    }

    pub fn prove_at(&self, now: Instant, forwarded: bool) -> Result<Proved, Unverified> {
        let context = EndpointContext { now, ..context(self.provider) };
        let headers = self.headers();
        let notice = Notice { headers: &headers, body: &self.body, forwarded, now };
        prove(self.provider, &notice, &keys(self.provider), &context)
    }

    pub fn prove(&self) -> Result<Proved, Unverified> {
        self.prove_at(clock(), false)
    }

    /// What it says, which must be provable.
    pub fn read(&self) -> Reading {
        self.prove().unwrap_or_else(|reason| panic!("{reason:?}")).read(&context(self.provider))
    }

    /// The rows that this notice alone makes.
    pub fn rows(&self) -> Vec<Transaction> {
        let mut world = World::default();
        world.take(self);
        world.rows()
    }
}

/// A sample of the fixtures: `wechat/payment_success`, `stripe/charge_succeeded` …
pub fn sent(name: &str) -> Sent {
    let (folder, rest) = name.split_once('/').unwrap();
    let file = |ending: &str| format!("{folder}/synthetic_{rest}{ending}");
    match folder {
        "wechat" | "hyperswitch" => {
            let headers: BTreeMap<String, String> =
                serde_json::from_slice(&fixture(&file(".headers.json"))).unwrap();
            let known = NoticeHeaders::NAMES.iter().filter_map(|name| {
                let found = headers.iter().find(|(given, _)| given.eq_ignore_ascii_case(name))?;
                Some((*name, found.1.clone()))
            });
            let provider = if folder == "wechat" { Provider::WechatPay } else { Provider::Hyperswitch };
            Sent { provider, headers: known.collect(), body: fixture(&file(".body.json")) }
        }
        "stripe" => {
            let signature = fixture_text(&file(".signature.txt")).trim().to_owned();
            let body = fixture(&file(".body.json"));
            Sent { provider: Provider::Stripe, headers: vec![("stripe-signature", signature)], body }
        }
        _ => Sent { provider: Provider::Alipay, headers: Vec::new(), body: fixture(&file(".form.txt")) },
    }
}

fn rsa(message: &[u8]) -> String {
    let mut signature = vec![0; SIGNER.public_modulus_len()];
    SIGNER.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).unwrap();
    STANDARD.encode(signature)
}

/// A notice of WeChat Pay, sealed and signed here.
pub fn wechat(event: &str, original: &str, told_at: &str, resource: &Value) -> Sent {
    let cipher = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, API_V3_KEY.as_bytes()).unwrap());
    let nonce = Nonce::try_assume_unique_for_key(b"synNonce12ch").unwrap();
    let mut sealed = resource.to_string().into_bytes();
    cipher.seal_in_place_append_tag(nonce, Aad::from(original.as_bytes()), &mut sealed).unwrap();
    let body = json!({
        "id": "EV", "create_time": told_at, "resource_type": "encrypt-resource", "event_type": event,
        "resource": {
            "original_type": original, "algorithm": "AEAD_AES_256_GCM", "nonce": "synNonce12ch",
            "associated_data": original, "ciphertext": STANDARD.encode(sealed),
        },
    });
    wechat_signed(body.to_string().into_bytes(), "OWN")
}

pub fn wechat_signed(body: Vec<u8>, serial: &str) -> Sent {
    let message = [format!("{CLOCK_S}\nnonce\n").as_bytes(), &body, b"\n"].concat();
    let headers = vec![
        ("wechatpay-timestamp", CLOCK_S.to_string()),
        ("wechatpay-nonce", "nonce".to_owned()),
        ("wechatpay-serial", serial.to_owned()),
        ("wechatpay-signature", rsa(&message)),
    ];
    Sent { provider: Provider::WechatPay, headers, body }
}

/// A form of Alipay, its values as the bytes that are signed.
pub fn alipay_bytes(fields: &[(&str, &[u8])]) -> Sent {
    let mut sorted: Vec<_> = fields.iter().filter(|(_, value)| !value.is_empty()).collect();
    sorted.sort();
    let pairs: Vec<Vec<u8>> =
        sorted.iter().map(|(name, value)| [name.as_bytes(), b"=", value].concat()).collect();
    let signature = rsa(&pairs.join(&b"&"[..]));
    let encode = |value: &[u8]| {
        percent_encoding::percent_encode(value, percent_encoding::NON_ALPHANUMERIC).to_string()
    };
    let mut form: Vec<String> =
        fields.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
    form.push("sign_type=RSA2".into());
    form.push(format!("sign={}", encode(signature.as_bytes())));
    Sent { provider: Provider::Alipay, headers: Vec::new(), body: form.join("&").into_bytes() }
}

/// A notice of one trade: the usual fields, and these.
pub fn alipay(more: &[(&str, &str)]) -> Sent {
    let usual = [
        ("app_id", "2021000000000001"),
        ("seller_id", "2088000000000001"),
        ("charset", "utf-8"),
        ("notify_type", "trade_status_sync"),
        ("notify_time", "2026-11-20 07:59:59"),
        ("trade_no", "2026T1"),
        ("out_trade_no", "A1"),
        ("total_amount", "100.00"),
        ("buyer_id", "2088"),
        ("gmt_create", "2026-11-20 07:00:00"),
    ];
    let mut fields: BTreeMap<&str, &[u8]> =
        usual.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
    fields.extend(more.iter().map(|(name, value)| (*name, value.as_bytes())));
    alipay_bytes(&fields.into_iter().collect::<Vec<_>>())
}

pub fn stripe_signature(secret: &str, at_s: i64, body: &[u8]) -> String {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("{at_s}.").as_bytes());
    mac.update(body);
    to_hex(&mac.finalize().into_bytes())
}

/// An event of Stripe about an object.
pub fn stripe(kind: &str, id: &str, at_s: i64, object: &Value) -> Sent {
    let body = json!({
        "id": id, "object": "event", "type": kind, "created": at_s, "livemode": true, "data": { "object": object },
    });
    let body = body.to_string().into_bytes();
    let header = format!("t={CLOCK_S},v1={}", stripe_signature(STRIPE_SECRET, CLOCK_S, &body));
    Sent { provider: Provider::Stripe, headers: vec![("stripe-signature", header)], body }
}

/// An item of Adyen, signed here.
pub fn adyen_item(event: &str, success: bool, psp: &str, original: &str, date: &str, more: Value) -> Value {
    let mut item = json!({
        "additionalData": {}, "amount": { "currency": "EUR", "value": 1000 }, "eventCode": event,
        "eventDate": date, "merchantAccountCode": "AntoniStroinski", "merchantReference": "order-1",
        "originalReference": original, "paymentMethod": "visa", "pspReference": psp,
        "success": success.to_string(),
    });
    merge(&mut item, more);
    sign_adyen(&mut item);
    item
}

fn merge(into: &mut Value, more: Value) {
    match (into, more) {
        (Value::Object(into), Value::Object(more)) => {
            for (name, value) in more {
                merge(into.entry(name).or_insert(Value::Null), value);
            }
        }
        (into, more) => *into = more,
    }
}

pub fn sign_adyen(item: &mut Value) {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(&super::keys::from_hex(ADYEN_KEY).unwrap()).unwrap();
    mac.update(super::adyen::signed_text(item).as_bytes());
    item["additionalData"]["hmacSignature"] = json!(STANDARD.encode(mac.finalize().into_bytes()));
}

pub fn adyen(items: Vec<Value>) -> Sent {
    let items: Vec<Value> =
        items.into_iter().map(|item| json!({ "NotificationRequestItem": item })).collect();
    let body = json!({ "live": "true", "notificationItems": items });
    Sent { provider: Provider::Adyen, headers: Vec::new(), body: body.to_string().into_bytes() }
}

/// An event of Hyperswitch about an object.
pub fn hyperswitch(event: &str, content: &str, object: &Value) -> Sent {
    let body = json!({
        "merchant_id": "merchant_syn", "event_id": "evt", "event_type": event,
        "content": { "type": content, "object": object }, "timestamp": "2026-11-20T00:00:01Z",
    });
    let body = body.to_string().into_bytes();
    let mut mac = Hmac::<sha2::Sha512>::new_from_slice(HYPERSWITCH_SECRET.as_bytes()).unwrap();
    mac.update(&body);
    let headers = vec![("x-webhook-signature-512", to_hex(&mac.finalize().into_bytes()))];
    Sent { provider: Provider::Hyperswitch, headers, body }
}

/// What the desk, the fold and the database keep, in memory: facts of which the first is believed, days of birth, and of
/// each identity the version that wins.
#[derive(Default)]
pub struct World {
    facts: BTreeMap<(String, String), Fact>,
    born: BTreeMap<String, Instant>,
    rows: BTreeMap<(&'static str, String, chrono::NaiveDate), Transaction>,
    pub lines: Vec<LedgerLine>,
    pub faults: Vec<(String, Fault)>,
    pub passed_over: usize,
}

impl World {
    pub fn take(&mut self, sent: &Sent) {
        let context = context(sent.provider);
        let Reading { transactions, lines, facts, faults, passed_over, .. } = sent.read();
        self.lines.extend(lines);
        self.faults.extend(faults);
        self.passed_over += passed_over;
        let subjects: std::collections::BTreeSet<String> =
            facts.iter().map(|fact| fact.subject.clone()).collect();
        for fact in facts {
            self.facts.entry((fact.subject.clone(), fact.key.clone())).or_insert(fact);
        }
        for row in transactions {
            self.put(row);
        }
        for subject in subjects {
            let of_it: Vec<Fact> =
                self.facts.values().filter(|fact| fact.subject == subject).cloned().collect();
            for row in derive(sent.provider, &of_it, &context).unwrap() {
                let born = *self.born.entry(row.birth_key()).or_insert(row.0.created_at);
                self.put(row.born_at(born));
            }
        }
    }

    fn put(&mut self, row: Transaction) {
        let identity = (row.kind.as_str(), row.transaction_id.clone(), row.created_at.date_naive());
        let rank = |row: &Transaction| (row.updated_at, row.status.is_terminal(), row_hash(row));
        assert!(row.updated_at.is_some(), "a row without a version");
        assert!(row.status.fits(row.kind), "{row:?}");
        match self.rows.get(&identity) {
            Some(known) if rank(known) >= rank(&row) => {}
            _ => {
                self.rows.insert(identity, row);
            }
        }
    }

    pub fn rows(&self) -> Vec<Transaction> {
        self.rows.values().cloned().collect()
    }
}

/// The rows after these deliveries in this order.
pub fn rows_after<'s>(sents: impl IntoIterator<Item = &'s Sent>) -> Vec<Transaction> {
    let mut world = World::default();
    sents.into_iter().for_each(|sent| world.take(sent));
    assert_eq!(world.faults, Vec::new());
    world.rows()
}
