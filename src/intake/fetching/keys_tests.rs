use super::*;

macro_rules! key {
    ($name:literal) => {
        include_str!(concat!("../../../tests/fixtures/fetching/", $name, ".pem"))
    };
}

const SERIAL: &str = "5157F09EFDC096DE15EBE81A47057A7232F1B8E1";

/// The base64 alone, as Alipay's tool writes keys.
fn bare(pem: &str) -> String {
    pem.lines().filter(|line| !line.starts_with("-----")).collect()
}

#[test]
fn a_private_key_is_read_in_every_shape_and_signs_the_same() {
    let text = b"GET\n/v3/bill/tradebill\n";
    let one = SigningKey::read(key!("merchant_pkcs8")).unwrap();
    let public = VerifyingKey::read(key!("merchant_public")).unwrap();
    let signature = one.sign(text).unwrap();
    assert!(public.verifies(text, &signature));
    assert!(!public.verifies(b"GET\n/v3/bill/tradebilL\n", &signature));
    assert_eq!(one.fingerprint(), public.fingerprint());
    let crlf = key!("merchant_pkcs8").replace('\n', "\r\n");
    let in_one_line = key!("merchant_pkcs8").replace('\n', " ");
    let both = format!("{}{}", key!("platform_certificate"), key!("merchant_pkcs8"));
    for shape in [
        key!("merchant_pkcs1"),
        &bare(key!("merchant_pkcs8")),
        &bare(key!("merchant_pkcs1")),
        &format!("\n  {crlf}\n"),
        &in_one_line,
        &both,
    ] {
        // PKCS#1 v1.5 has no chance in it: the same key signs the same.
        assert_eq!(SigningKey::read(shape).unwrap().sign(text).unwrap(), signature);
    }
}

#[test]
fn what_is_no_private_key_is_refused_by_its_own_name() {
    for (text, error) in [
        (key!("merchant_encrypted"), KeyError::Encrypted),
        (key!("merchant_encrypted_pkcs1"), KeyError::Encrypted),
        (key!("merchant_public"), KeyError::PublicInstead),
        (key!("platform_certificate"), KeyError::PublicInstead),
        (&bare(key!("merchant_public")), KeyError::PublicInstead),
        (key!("short"), KeyError::Unusable),
        (key!("ec"), KeyError::Unusable),
        ("", KeyError::Unreadable),
        ("the key", KeyError::Unreadable),
        ("-----BEGIN PRIVATE KEY-----\nMIIE", KeyError::Unreadable),
        ("-----BEGIN PRIVATE KEY", KeyError::Unreadable),
        (&"A".repeat(KEY_TEXT_BYTES_MAX + 1), KeyError::TooLong),
    ] {
        assert_eq!(SigningKey::read(text).err(), Some(error), "{}", &text[..text.len().min(40)]);
    }
}

#[test]
fn the_providers_keys_are_found_by_their_ids() {
    let keys = PlatformKeys::read(
        &format!("{}{}", key!("platform_certificate"), key!("platform_public")),
        " PUB_KEY_ID_0114232134912410000000000000 ",
    )
    .unwrap();
    let signature = SigningKey::read(key!("platform_private")).unwrap().sign(b"answer").unwrap();
    for id in [SERIAL, &SERIAL.to_lowercase(), "PUB_KEY_ID_0114232134912410000000000000"] {
        assert!(keys.get(id).unwrap().verifies(b"answer", &signature), "{id}");
    }
    assert!(keys.get("5157").is_none());
    assert_eq!(keys.public_key_id(), Some("PUB_KEY_ID_0114232134912410000000000000"));
    let shown: Vec<_> = keys.shown().map(|(id, _)| id).collect();
    assert_eq!(shown, [SERIAL, "PUB_KEY_ID_0114232134912410000000000000"]);
}

#[test]
fn what_is_no_public_key_is_refused_by_its_own_name() {
    let read = |text: &str| PlatformKeys::read(text, "PUB_KEY_ID_1").err();
    assert_eq!(read(key!("platform_private")), Some(KeyError::PrivateInstead));
    assert_eq!(read(&bare(key!("platform_private"))), Some(KeyError::PrivateInstead));
    assert_eq!(read(&bare(key!("merchant_pkcs1"))), Some(KeyError::PrivateInstead));
    assert_eq!(
        read("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"),
        Some(KeyError::Unreadable)
    );
    assert_eq!(read("AAAA"), Some(KeyError::Unusable));
    assert_eq!(read(&key!("platform_public").repeat(9)), Some(KeyError::TooMany));
    assert_eq!(PlatformKeys::read(key!("platform_public"), " ").err(), Some(KeyError::NoId));
    assert!(PlatformKeys::read(key!("platform_certificate"), "").is_ok());
}

#[test]
fn a_signature_that_is_no_base64_verifies_nothing() {
    let public = VerifyingKey::read(key!("platform_public")).unwrap();
    for signature in ["", "!!", "AAAA", "WECHATPAY/SIGNTEST/abc"] {
        assert!(!public.verifies(b"x", signature), "{signature}");
    }
}

proptest::proptest! {
    /// Whatever is pasted is judged, and nothing panics; pieces of keys in the wrong places are the likeliest nonsense.
    #[test]
    fn no_text_panics(
        before in ".{0,80}",
        label in "[A-Z ]{0,20}",
        body in "[A-Za-z0-9+/= \n]{0,200}",
        after in "(-----END [A-Z ]{0,20}-----)?.{0,40}",
    ) {
        for text in [format!("{before}-----BEGIN {label}-----{body}{after}"), format!("{before}{body}")] {
            let _ = SigningKey::read(&text);
            let _ = VerifyingKey::read(&text);
            let _ = PlatformKeys::read(&text, &label);
        }
    }
}
