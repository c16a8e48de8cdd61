//! Bodies with bytes changed, doubled, dropped: no panic, and nothing is believed that was not signed.

use super::forged::good;
use super::*;

const ROUNDS: u64 = 4_000;

/// A small generator with a seed, so that a failure can be had again.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((self.0 >> 33) % sides.max(1) as u64).unwrap()
    }
}

fn mutate(bytes: &mut Vec<u8>, dice: &mut Dice) {
    for _ in 0..=dice.roll(4) {
        let at = dice.roll(bytes.len());
        match dice.roll(6) {
            0 if !bytes.is_empty() => bytes[at] = u8::try_from(dice.roll(256)).unwrap(),
            1 => bytes.truncate(at),
            2 => bytes.insert(at, *b"{}[]\",:&=%+-9\0".get(dice.roll(14)).unwrap()),
            3 if !bytes.is_empty() => {
                bytes.remove(at);
            }
            4 => {
                let end = (at + dice.roll(40)).min(bytes.len());
                let part = bytes[at..end].to_vec();
                bytes.splice(at..at, part);
            }
            _ => bytes.extend_from_slice(&vec![b'['; dice.roll(300)]),
        }
    }
}

#[test]
fn changed_bodies_are_neither_believed_nor_do_they_harm() {
    let all = good();
    let mut dice = Dice(7);
    for round in 0..ROUNDS {
        let sent = &all[dice.roll(all.len())];
        let mut changed = sent.clone();
        mutate(&mut changed.body, &mut dice);
        if dice.roll(3) == 0 && !changed.headers.is_empty() {
            let at = dice.roll(changed.headers.len());
            let mut value = changed.headers[at].1.clone().into_bytes();
            mutate(&mut value, &mut dice);
            changed.headers[at].1 = String::from_utf8_lossy(&value).into_owned();
        }
        let same = changed.body == sent.body;
        match (changed.prove(), sent.provider) {
            // These sign what they name: other bytes may say the same.
            (Ok(proved), Provider::Adyen | Provider::Alipay) => drop(proved.read(&context(sent.provider))),
            (Ok(_), _) => assert!(same, "round {round}"),
            (Err(_), _) => {}
        }
    }
}

/// What is inside a proved notice, changed before it is signed: read without a panic, and what is made of it fits.
#[test]
fn changed_contents_are_read_or_refused() {
    let mut dice = Dice(11);
    let resource = fixture("wechat/synthetic_payment_success.plaintext.json");
    let charge =
        serde_json::from_slice::<Value>(&fixture("stripe/synthetic_charge_succeeded.body.json")).unwrap();
    let payment =
        serde_json::from_slice::<Value>(&fixture("hyperswitch/synthetic_payment_succeeded.body.json"))
            .unwrap();
    let item = adyen_item("AUTHORISATION", true, "P1", "", "2026-11-20T00:00:00Z", json!({}));
    for _ in 0..ROUNDS / 4 {
        let mut altered = |bytes: Vec<u8>| {
            let mut bytes = bytes;
            mutate(&mut bytes, &mut dice);
            serde_json::from_slice::<Value>(&bytes).ok()
        };
        let text = |value: &Value| value.to_string().into_bytes();
        let mut sents = Vec::new();
        if let Some(value) = altered(resource.clone()) {
            sents.push(wechat("TRANSACTION.SUCCESS", "transaction", "2026-11-20T00:00:00+08:00", &value));
        }
        if let Some(value) = altered(text(&charge["data"]["object"])) {
            sents.push(stripe("charge.succeeded", "evt_1", CLOCK_S, &value));
        }
        if let Some(value) = altered(text(&payment["content"]["object"])) {
            sents.push(hyperswitch("payment_succeeded", "payment_details", &value));
        }
        if let Some(mut value) = altered(text(&item)).filter(|value| value["additionalData"].is_object()) {
            sign_adyen(&mut value);
            sents.push(adyen(vec![value]));
        }
        for sent in sents.iter().filter(|sent| sent.prove().is_ok()) {
            let reading = sent.read();
            let derived = derive(sent.provider, &reading.facts, &context(sent.provider));
            for row in reading.transactions.iter().chain(derived.iter().flatten().map(|row| &row.0)) {
                assert!(row.status.fits(row.kind) && row.amount.minor() >= 0);
                assert!(row.transaction_id.chars().count() <= 300 && row.updated_at.is_some());
            }
        }
    }
}

#[test]
fn deep_and_long_bodies_are_refused_within_bounds() {
    for body in [
        "[".repeat(100_000),
        "{\"a\":".repeat(50_000),
        "a=b&".repeat(5_000),
        "%".repeat(100_000),
        format!("{{\"notificationItems\":[{}]}}", "{},".repeat(10_000)),
        "\u{feff}{}".into(),
        "=".into(),
    ] {
        for provider in Provider::ALL {
            let sent = Sent { provider, headers: Vec::new(), body: body.clone().into_bytes() };
            assert!(sent.prove().is_err());
        }
    }
}
