//! Names of ways to pay, as shops write them.

use std::borrow::Cow;

use crate::intake::api::SLUG_CHARS_MAX;

/// Names that mean one of our words; compared in lower case with everything between letters as one `_`.
const KNOWN: [(&str, &str); 40] = [
    ("card", "card"),
    ("credit_card", "card"),
    ("creditcard", "card"),
    ("debit_card", "card"),
    ("bank_card", "card"),
    ("visa", "card"),
    ("mastercard", "card"),
    ("master_card", "card"),
    ("amex", "card"),
    ("american_express", "card"),
    ("discover", "card"),
    ("diners_club", "card"),
    ("jcb", "card"),
    ("银行卡", "card"),
    ("信用卡", "card"),
    ("wechat", "wechat_pay"),
    ("wechatpay", "wechat_pay"),
    ("wechat_pay", "wechat_pay"),
    ("weixin", "wechat_pay"),
    ("wxpay", "wechat_pay"),
    ("微信", "wechat_pay"),
    ("微信支付", "wechat_pay"),
    ("alipay", "alipay"),
    ("ali_pay", "alipay"),
    ("支付宝", "alipay"),
    ("unionpay", "unionpay"),
    ("union_pay", "unionpay"),
    ("云闪付", "unionpay"),
    ("bank_transfer", "bank_transfer"),
    ("wire_transfer", "bank_transfer"),
    ("银行转账", "bank_transfer"),
    ("cash", "cash"),
    ("现金", "cash"),
    ("e_cny", "e_cny"),
    ("ecny", "e_cny"),
    ("数字人民币", "e_cny"),
    ("usdt", "usdt"),
    ("usdt_trc20", "usdt"),
    ("gift_card", "stored_value"),
    ("储值", "stored_value"),
];

/// The word of a way to pay; `None` where the name is neither known nor writable as a word.
pub(super) fn word(name: &str) -> Option<Cow<'static, str>> {
    let mut plain = String::with_capacity(name.len());
    for letter in name.trim().chars().take(2 * SLUG_CHARS_MAX) {
        if letter.is_alphanumeric() {
            plain.extend(letter.to_lowercase());
        } else if !plain.ends_with('_') {
            plain.push('_');
        }
    }
    let plain = plain.trim_matches('_');
    if let Some((_, word)) = KNOWN.iter().find(|(known, _)| *known == plain) {
        return Some(Cow::Borrowed(word));
    }
    let is_word = plain.is_ascii() && (1..=SLUG_CHARS_MAX).contains(&plain.len());
    is_word.then(|| Cow::Owned(plain.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_words_or_nothing() {
        for (name, expected) in [
            ("Credit Card", Some("card")),
            ("Visa", Some("card")),
            ("WeChat Pay", Some("wechat_pay")),
            ("微信支付", Some("wechat_pay")),
            ("Apple-Pay", Some("apple_pay")),
            ("京东白条", None),
            ("  ", None),
            ("a name that is longer than a word may be", None),
        ] {
            assert_eq!(word(name).as_deref(), expected, "{name}");
        }
    }
}
