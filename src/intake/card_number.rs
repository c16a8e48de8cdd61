use std::ops::Range;

/// Fewest digits of a card number in use.
const DIGITS_MIN: usize = 13;
/// Most digits of a card number (ISO/IEC 7812).
const DIGITS_MAX: usize = 19;

/// Issuers' prefixes, as inclusive ranges of the first digits, with the lengths they issue.
///
/// Length, prefix and check digit together: the check digit alone would refuse a tenth of all numeric order ids.
/// `9558` and `95599` are mainland debit cards from before the `62` prefix.
const BRANDS: [(u32, u32, &[usize]); 30] = [
    (4, 4, &[13, 16, 19]),
    (51, 55, &[16]),
    (2221, 2720, &[16]),
    (34, 34, &[15]),
    (37, 37, &[15]),
    (62, 62, &[16, 17, 18, 19]),
    (81, 81, &[16, 17, 18, 19]),
    (9558, 9558, &[16, 17, 18, 19]),
    (95599, 95599, &[16, 17, 18, 19]),
    (601_382, 601_382, &[19]),
    (6011, 6011, &[16, 17, 18, 19]),
    (644, 649, &[16, 17, 18, 19]),
    (65, 65, &[16, 17, 18, 19]),
    (3528, 3589, &[16, 17, 18, 19]),
    (300, 305, &[14, 16, 17, 18, 19]),
    (3095, 3095, &[14, 16, 17, 18, 19]),
    (36, 36, &[14, 15, 16, 17, 18, 19]),
    (38, 39, &[14, 16, 17, 18, 19]),
    (2200, 2204, &[16, 17, 18, 19]),
    (5018, 5018, &[13, 14, 15, 16, 17, 18, 19]),
    (5020, 5020, &[13, 14, 15, 16, 17, 18, 19]),
    (5038, 5038, &[13, 14, 15, 16, 17, 18, 19]),
    (5893, 5893, &[13, 14, 15, 16, 17, 18, 19]),
    (6304, 6304, &[13, 14, 15, 16, 17, 18, 19]),
    (6759, 6763, &[13, 14, 15, 16, 17, 18, 19]),
    (506_099, 506_198, &[16, 18, 19]),
    (508, 508, &[16]),
    (82, 82, &[16]),
    (9792, 9792, &[16]),
    (636_368, 636_368, &[16]),
];

/// Names of values that may not be kept after a payment; an attribute called so is refused whatever it holds.
const SECRET_NAMES: [&str; 17] = [
    "cardnumber",
    "cardno",
    "pan",
    "primaryaccountnumber",
    "cvv",
    "cvv2",
    "cvc",
    "cvc2",
    "cid",
    "csc",
    "securitycode",
    "track1",
    "track2",
    "trackdata",
    "magstripe",
    "pin",
    "pinblock",
];

/// Where `text` holds what looks like a card number: a run of 13 to 19 digits, spaces and dashes between them
/// disregarded, with an issuer's prefix, that issuer's length, and a right check digit.
///
/// A number already truncated (`411111******1111`) is none. Whoever finds one keeps position and field, never
/// the text.
pub fn find_card_number(text: &str) -> Option<Range<usize>> {
    if text.len() < DIGITS_MIN || (text.is_ascii() && !may_hold_one(text.as_bytes())) {
        return None;
    }
    find_slowly(text)
}

/// False when there is none for certain: no 13 digits with nothing but separators between them, or only one plain run
/// of digits that is too long. Nearly every text ends here, random ids too.
fn may_hold_one(ascii: &[u8]) -> bool {
    // Digits since the last character that is neither digit nor separator, and the runs that they form.
    let (mut digits, mut runs, mut after_digit) = (0, 0, false);
    let is_candidate = |digits, runs| digits >= DIGITS_MIN && (runs > 1 || digits <= DIGITS_MAX);
    for byte in ascii {
        if byte.is_ascii_digit() {
            digits += 1;
            runs += usize::from(!after_digit);
            after_digit = true;
            continue;
        }
        after_digit = false;
        if !is_separator(char::from(*byte)) {
            if is_candidate(digits, runs) {
                return true;
            }
            (digits, runs) = (0, 0);
        }
    }
    is_candidate(digits, runs)
}

fn find_slowly(text: &str) -> Option<Range<usize>> {
    let mut after_digit = false;
    for (start, character) in text.char_indices() {
        let is_digit = digit_of(character).is_some();
        if is_digit
            && !after_digit
            && let Some(length) = text.get(start..).and_then(card_number_at_start)
        {
            return Some(start..start + length);
        }
        after_digit = is_digit;
    }
    None
}

/// True when `text` holds what looks like a card number.
pub fn holds_card_number(text: &str) -> bool {
    find_card_number(text).is_some()
}

/// True for names such as `CVV2` or `card_number`: values under them may not be taken in at all.
pub fn names_card_secret(name: &str) -> bool {
    let plain: String =
        name.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect();
    SECRET_NAMES.contains(&plain.as_str())
}

/// Length in bytes of the card number that `text`, which begins with a digit, begins with.
///
/// A number ends where a group of digits ends, so a longer plain run (a provider's 28-digit id) never matches,
/// and `4111 1111 1111 1111 12/29` does.
fn card_number_at_start(text: &str) -> Option<usize> {
    let mut digits = [0_u8; DIGITS_MAX];
    let mut count = 0;
    let mut group_end = None;
    for (at, character) in text.char_indices() {
        if let Some(digit) = digit_of(character) {
            *digits.get_mut(count)? = digit;
            count += 1;
            group_end = Some(at + character.len_utf8());
        } else {
            if let Some(end) = group_end.take()
                && digits.get(..count).is_some_and(is_card_number)
            {
                return Some(end);
            }
            if !is_separator(character) {
                return None;
            }
        }
    }
    group_end.filter(|_| digits.get(..count).is_some_and(is_card_number))
}

fn digit_of(character: char) -> Option<u8> {
    match character {
        '0'..='9' => u8::try_from(u32::from(character) - u32::from('0')).ok(),
        // Full-width digits, as Chinese input methods write them.
        '０'..='９' => u8::try_from(u32::from(character) - u32::from('０')).ok(),
        _ => None,
    }
}

const fn is_separator(character: char) -> bool {
    matches!(
        character,
        ' ' | '\t' | '-' | '.' | '_' | '\u{a0}' | '\u{3000}' | '\u{2007}' | '\u{202f}' | '\u{ff0d}'
            | '\u{200b}'..='\u{200d}' | '\u{2010}'..='\u{2015}'
    )
}

fn is_card_number(digits: &[u8]) -> bool {
    digits.len() >= DIGITS_MIN && has_brand(digits) && has_check_digit(digits)
}

fn has_brand(digits: &[u8]) -> bool {
    let mut prefixes = [0_u32; 6];
    let mut prefix = 0;
    for (slot, digit) in prefixes.iter_mut().zip(digits) {
        prefix = prefix * 10 + u32::from(*digit);
        *slot = prefix;
    }
    BRANDS.iter().any(|(from, to, lengths)| {
        let width = from.ilog10() as usize;
        prefixes.get(width).is_some_and(|prefix| (from..=to).contains(&prefix))
            && lengths.contains(&digits.len())
    })
}

/// Luhn: every second digit from the right doubled, digit sums added, a multiple of ten.
fn has_check_digit(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(position, digit)| {
            let digit = u32::from(*digit);
            match (position % 2, digit) {
                (0, _) => digit,
                (_, 5..) => digit * 2 - 9,
                _ => digit * 2,
            }
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn card_numbers_of_every_brand_are_found() {
        for number in [
            "4111111111111111",
            "4222222222222",
            "5555555555554444",
            "2223003122003222",
            "378282246310005",
            "6200000000000005",
            "6212345678901232",
            "6011111111111117",
            "3530111333300000",
            "30569309025904",
            "36700102000000",
            "2200000000000004",
            "9792000000000003",
        ] {
            assert!(holds_card_number(number), "{number}");
        }
    }

    #[test]
    fn separators_and_text_around_do_not_hide_one() {
        for text in [
            "4111 1111 1111 1111",
            "4111-1111-1111-1111",
            "card 4111.1111.1111.1111 exp 12",
            "pay_4111111111111111",
            "4111  1111 1111 1111 12/29",
            "卡号４１１１１１１１１１１１１１１１谢谢",
            "%B4111111111111111^X/Y^2912",
            "12 4111 1111 1111 1111",
            "4111\u{a0}1111\u{2011}1111\u{200b}1111",
        ] {
            assert!(holds_card_number(text), "{text}");
        }
        assert_eq!(find_card_number("no. 4111 1111 1111 1111!"), Some(4..23));
    }

    #[test]
    fn what_is_no_card_number_passes() {
        for text in [
            "",
            "411111******1111",
            "4111111111111112",
            "4200001234202611241234567890",
            "2026112422001412341234567890",
            "202611241234567",
            "+86 138 0013 8000",
            "1764000000000",
            "0000000000000000",
            "ch_3NirD82eZvKYlo2C0X",
            "****1111",
            "550e8400-e29b-41d4-a716-446655440000",
            "2026-11-24 10:11:12.123456",
        ] {
            assert!(!holds_card_number(text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn the_quick_look_overlooks_none(text in "([0-9]{1,9}|[ ._-]{0,2}|[a-f]|4111111111111111|62){0,12}") {
            prop_assert!(text.is_ascii());
            if find_slowly(&text).is_some() {
                prop_assert!(may_hold_one(text.as_bytes()), "{}", text);
            }
            prop_assert_eq!(find_card_number(&text), find_slowly(&text));
        }
    }

    #[test]
    fn random_ids_are_passed_at_a_glance() {
        for id in ["2026112422001412341234567890", "a81f0c93774be2d05617f3c28891d4e6"] {
            assert!(!may_hold_one(id.as_bytes()), "{id}");
        }
        assert!(may_hold_one(b"4111-1111 1111.1111"));
    }

    #[test]
    fn the_check_digit_alone_refuses_nothing() {
        // Every one of these has a right check digit and no issuer's prefix.
        for text in ["1234567890123452", "7000000000000005", "2026112400000005", "0000000000000018"] {
            let digits: Vec<u8> = text.bytes().map(|byte| byte - b'0').collect();
            assert!(has_check_digit(&digits), "{text}");
            assert!(!holds_card_number(text), "{text}");
        }
    }

    #[test]
    fn few_dated_order_numbers_are_refused() {
        let refused = (0..100_000_u64).filter(|n| holds_card_number(&format!("20261124{n:08}"))).count();
        assert_eq!(refused, 0);
    }

    #[test]
    fn names_of_secrets_are_known() {
        for name in ["CVV2", "card_number", "Card-No", "pin_block", "track2"] {
            assert!(names_card_secret(name), "{name}");
        }
        for name in ["pinned", "card_brand", "panel", "track"] {
            assert!(!names_card_secret(name), "{name}");
        }
    }
}
