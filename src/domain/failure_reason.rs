//! Providers' failure codes to one short list of reasons, each with whose fault it is.
//!
//! Sources: the public error code lists of WeChat Pay (`pay.weixin.qq.com`), Alipay (`opendocs.alipay.com`), UnionPay's
//! online gateway, ISO 8583 response codes, and Stripe's decline codes.

use super::{FailureClass, Word};

macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident = $text:literal $class:ident),+ $(,)?) => {
        /// Why a payment failed, in words that do not depend on the provider. Texts: `reason-<key>` says what
        /// happened, `advice-<key>` what the shop can do.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum FailureReason { $($(#[$doc])* $variant),+ }

        impl FailureReason {
            /// Every reason.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The key of its texts.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// Whose fault it is.
            pub const fn class(self) -> FailureClass {
                match self { $(Self::$variant => FailureClass::$class),+ }
            }
        }
    };
}

reasons! {
    NotEnoughBalance = "not-enough-balance" Customer,
    WrongPassword = "wrong-password" Customer,
    /// A shopper's code shown too long, or used already.
    CodeExpired = "code-expired" Customer,
    LimitExceeded = "limit-exceeded" Customer,
    CardExpired = "card-expired" Customer,
    CardInvalid = "card-invalid" Customer,
    AuthenticationFailed = "authentication-failed" Customer,
    AccountRestricted = "account-restricted" Customer,
    /// The shopper was asked for the password and has not given it.
    WaitedForShopper = "waited-for-shopper" Customer,
    Cancelled = "cancelled" Customer,
    ExpiredUnpaid = "expired-unpaid" Customer,
    DeclinedByBank = "declined-by-bank" Issuer,
    CardBlocked = "card-blocked" Issuer,
    CardNotSupported = "card-not-supported" Issuer,
    RiskBlocked = "risk-blocked" Risk,
    BankUnavailable = "bank-unavailable" Technical,
    ProviderError = "provider-error" Technical,
    Timeout = "timeout" Technical,
    TooManyRequests = "too-many-requests" Technical,
    DuplicateOrder = "duplicate-order" Merchant,
    OrderClosed = "order-closed" Merchant,
    BadRequest = "bad-request" Merchant,
    NotPermitted = "not-permitted" Merchant,
    AmountNotAllowed = "amount-not-allowed" Merchant,
    BuyerMismatch = "buyer-mismatch" Merchant,
}

/// The reason behind a provider's code; `None` for codes of no known list.
pub fn failure_reason(provider: Word, code: &str) -> Option<FailureReason> {
    let upper = code.trim().to_ascii_uppercase();
    // Alipay writes `ACQ.` and `aop.ACQ.` in front of the same names.
    let bare = upper.rsplit('.').next().unwrap_or(&upper);
    let find = |codes: &[(&str, FailureReason)]| {
        codes.iter().find(|(known, _)| *known == bare).map(|(_, reason)| *reason)
    };
    let two_digits = bare.len() == 2 && bare.bytes().all(|byte| byte.is_ascii_alphanumeric());
    match (two_digits, provider.as_str()) {
        (true, "unionpay") => find(UNIONPAY),
        (true, _) => find(ISO_8583),
        (false, _) => find(WALLETS).or_else(|| find(CARDS)),
    }
}

use FailureReason as R;

/// WeChat Pay (both API generations) and Alipay; their names do not contradict each other.
const WALLETS: &[(&str, FailureReason)] = &[
    ("NOTENOUGH", R::NotEnoughBalance),
    ("NOT_ENOUGH", R::NotEnoughBalance),
    ("BUYER_BALANCE_NOT_ENOUGH", R::NotEnoughBalance),
    ("BUYER_BANKCARD_BALANCE_NOT_ENOUGH", R::NotEnoughBalance),
    ("ERROR_BALANCE_PAYMENT_DISABLE", R::AccountRestricted),
    ("USERPAYING", R::WaitedForShopper),
    ("USER_PAYING", R::WaitedForShopper),
    ("ORDER_SUCCESS_PAY_INPROCESS", R::WaitedForShopper),
    ("AUTHCODEEXPIRE", R::CodeExpired),
    ("AUTH_CODE_EXPIRED", R::CodeExpired),
    ("AUTH_CODE_ERROR", R::CodeExpired),
    ("AUTH_CODE_INVALID", R::CodeExpired),
    ("PAYMENT_AUTH_CODE_INVALID", R::CodeExpired),
    ("SOUNDWAVE_PARSER_FAIL", R::CodeExpired),
    ("BEYOND_PAY_RESTRICTION", R::LimitExceeded),
    ("BEYOND_PER_RECEIPT_RESTRICTION", R::LimitExceeded),
    ("BUYER_PAYMENT_AMOUNT_DAY_LIMIT_ERROR", R::LimitExceeded),
    ("BUYER_PAYMENT_AMOUNT_MONTH_LIMIT_ERROR", R::LimitExceeded),
    ("ERROR_BUYER_CERTIFY_LEVEL_LIMIT", R::LimitExceeded),
    ("USER_ACCOUNT_ABNORMAL", R::AccountRestricted),
    ("ACCOUNTERROR", R::AccountRestricted),
    ("ACCOUNT_ERROR", R::AccountRestricted),
    ("BUYER_ENABLE_STATUS_FORBID", R::AccountRestricted),
    ("MOBILE_PAYMENT_SWITCH_OFF", R::AccountRestricted),
    ("USER_FACE_PAYMENT_SWITCH_OFF", R::AccountRestricted),
    ("NO_PAYMENT_INSTRUMENTS_AVAILABLE", R::AccountRestricted),
    ("PAYERROR", R::DeclinedByBank),
    ("PAYMENT_FAIL", R::DeclinedByBank),
    ("TRADE_ERROR", R::DeclinedByBank),
    ("NOTSUPORTCARD", R::CardNotSupported),
    ("NOT_SUPPORT_CARD", R::CardNotSupported),
    ("CARD_TYPE_ERROR", R::CardNotSupported),
    ("RULELIMIT", R::RiskBlocked),
    ("RULE_LIMIT", R::RiskBlocked),
    ("PAYMENT_REQUEST_HAS_RISK", R::RiskBlocked),
    ("EXIST_FORBIDDEN_WORD", R::RiskBlocked),
    ("BANKERROR", R::BankUnavailable),
    ("BANK_ERROR", R::BankUnavailable),
    ("SYSTEMERROR", R::ProviderError),
    ("SYSTEM_ERROR", R::ProviderError),
    ("INTERNAL_SERVICE_ERROR", R::ProviderError),
    ("BIZERR_NEED_RETRY", R::ProviderError),
    ("BIZ_ERR_NEED_RETRY", R::ProviderError),
    ("UNKNOW-ERROR", R::ProviderError),
    ("UNKNOWN_ERROR", R::ProviderError),
    ("20000", R::ProviderError),
    ("PULL_MOBILE_CASHIER_FAIL", R::ProviderError),
    ("TIMEOUT", R::Timeout),
    ("GATEWAY_TIMEOUT", R::Timeout),
    ("FREQUENCY_LIMITED", R::TooManyRequests),
    ("FREQUENCY_LIMIT_EXCEED", R::TooManyRequests),
    ("RATELIMIT_EXCEEDED", R::TooManyRequests),
    ("OUT_TRADE_NO_USED", R::DuplicateOrder),
    ("ORDERPAID", R::DuplicateOrder),
    ("ORDER_PAID", R::DuplicateOrder),
    ("TRADE_HAS_SUCCESS", R::DuplicateOrder),
    ("CONTEXT_INCONSISTENT", R::DuplicateOrder),
    ("ORDERCLOSED", R::OrderClosed),
    ("ORDER_CLOSED", R::OrderClosed),
    ("TRADE_HAS_CLOSE", R::OrderClosed),
    ("TRADE_CLOSED", R::OrderClosed),
    ("ORDERREVERSED", R::OrderClosed),
    ("ORDER_REVERSED", R::OrderClosed),
    ("REVOKED", R::Cancelled),
    ("USER_CANCEL", R::Cancelled),
    ("CLOSED", R::ExpiredUnpaid),
    ("NOTPAY", R::ExpiredUnpaid),
    ("PARAM_ERROR", R::BadRequest),
    ("INVALID_PARAMETER", R::BadRequest),
    ("INVALID_REQUEST", R::BadRequest),
    ("LACK_PARAMS", R::BadRequest),
    ("SIGNERROR", R::BadRequest),
    ("SIGN_ERROR", R::BadRequest),
    ("INVALID-SIGNATURE", R::BadRequest),
    ("XML_FORMAT_ERROR", R::BadRequest),
    ("REQUIRE_POST_METHOD", R::BadRequest),
    ("POST_DATA_EMPTY", R::BadRequest),
    ("NOT_UTF8", R::BadRequest),
    ("RESOURCE_NOT_EXISTS", R::BadRequest),
    ("ORDER_NOT_EXIST", R::BadRequest),
    ("ORDERNOTEXIST", R::BadRequest),
    ("TRADE_NOT_EXIST", R::BadRequest),
    ("INVALID_STORE_ID", R::BadRequest),
    ("APPID_NOT_EXIST", R::NotPermitted),
    ("MCHID_NOT_EXIST", R::NotPermitted),
    ("MCH_NOT_EXISTS", R::NotPermitted),
    ("APPID_MCHID_NOT_MATCH", R::NotPermitted),
    ("NOAUTH", R::NotPermitted),
    ("NO_AUTH", R::NotPermitted),
    ("ACCESS_FORBIDDEN", R::NotPermitted),
    ("PARTNER_ERROR", R::NotPermitted),
    ("SELLER_BEEN_BLOCKED", R::NotPermitted),
    ("MERCHANT_AGREEMENT_NOT_EXIST", R::NotPermitted),
    ("MERCHANT_AGREEMENT_INVALID", R::NotPermitted),
    ("MERCHANT_STATUS_NOT_NORMAL", R::NotPermitted),
    ("AGREEMENT_NOT_EXIST", R::NotPermitted),
    ("AGREEMENT_INVALID", R::NotPermitted),
    ("CERT_EXPIRED", R::NotPermitted),
    ("TOTAL_FEE_EXCEED", R::AmountNotAllowed),
    ("AMOUNT_OR_CURRENCY_ERROR", R::AmountNotAllowed),
    ("CURRENCY_NOT_SUPPORT", R::AmountNotAllowed),
    ("BUYER_MISMATCH", R::BuyerMismatch),
    ("TRADE_BUYER_NOT_MATCH", R::BuyerMismatch),
    ("BUYER_SELLER_EQUAL", R::BuyerMismatch),
    ("OPENID_MISMATCH", R::BuyerMismatch),
    ("CARD_USER_NOT_MATCH", R::BuyerMismatch),
];

/// Words of card gateways, Stripe's among them.
const CARDS: &[(&str, FailureReason)] = &[
    ("INSUFFICIENT_FUNDS", R::NotEnoughBalance),
    ("INCORRECT_PIN", R::WrongPassword),
    ("INVALID_PIN", R::WrongPassword),
    ("PIN_TRY_EXCEEDED", R::WrongPassword),
    ("OFFLINE_PIN_REQUIRED", R::WrongPassword),
    ("INCORRECT_CVC", R::CardInvalid),
    ("INVALID_CVC", R::CardInvalid),
    ("INCORRECT_NUMBER", R::CardInvalid),
    ("INVALID_NUMBER", R::CardInvalid),
    ("INVALID_EXPIRY_MONTH", R::CardInvalid),
    ("INVALID_EXPIRY_YEAR", R::CardInvalid),
    ("INVALID_ACCOUNT", R::CardInvalid),
    ("EXPIRED_CARD", R::CardExpired),
    ("CARD_VELOCITY_EXCEEDED", R::LimitExceeded),
    ("WITHDRAWAL_COUNT_LIMIT_EXCEEDED", R::LimitExceeded),
    ("INVALID_AMOUNT", R::AmountNotAllowed),
    ("CURRENCY_NOT_SUPPORTED", R::AmountNotAllowed),
    ("AUTHENTICATION_REQUIRED", R::AuthenticationFailed),
    ("PAYMENT_INTENT_AUTHENTICATION_FAILURE", R::AuthenticationFailed),
    ("AUTHENTICATION_FAILED", R::AuthenticationFailed),
    ("3DS_FAILED", R::AuthenticationFailed),
    ("CARD_DECLINED", R::DeclinedByBank),
    ("GENERIC_DECLINE", R::DeclinedByBank),
    ("DO_NOT_HONOR", R::DeclinedByBank),
    ("CALL_ISSUER", R::DeclinedByBank),
    ("NO_ACTION_TAKEN", R::DeclinedByBank),
    ("TRANSACTION_NOT_ALLOWED", R::DeclinedByBank),
    ("LOST_CARD", R::CardBlocked),
    ("STOLEN_CARD", R::CardBlocked),
    ("PICKUP_CARD", R::CardBlocked),
    ("RESTRICTED_CARD", R::CardBlocked),
    ("CARD_NOT_SUPPORTED", R::CardNotSupported),
    ("FRAUDULENT", R::RiskBlocked),
    ("HIGHEST_RISK_LEVEL", R::RiskBlocked),
    ("ELEVATED_RISK_LEVEL", R::RiskBlocked),
    ("MERCHANT_BLACKLIST", R::RiskBlocked),
    ("SECURITY_VIOLATION", R::RiskBlocked),
    ("ISSUER_NOT_AVAILABLE", R::BankUnavailable),
    ("TRY_AGAIN_LATER", R::BankUnavailable),
    ("PROCESSING_ERROR", R::ProviderError),
    ("REENTER_TRANSACTION", R::ProviderError),
    ("RATE_LIMIT", R::TooManyRequests),
    ("DUPLICATE_TRANSACTION", R::DuplicateOrder),
];

/// UnionPay's online gateway (`respCode`).
const UNIONPAY: &[(&str, FailureReason)] = &[
    ("01", R::DeclinedByBank),
    ("03", R::Timeout),
    ("05", R::Timeout),
    ("04", R::Timeout),
    ("06", R::ProviderError),
    ("10", R::BadRequest),
    ("11", R::BadRequest),
    ("12", R::DuplicateOrder),
    ("13", R::BadRequest),
    ("30", R::DeclinedByBank),
    ("31", R::NotPermitted),
    ("32", R::NotPermitted),
    ("33", R::LimitExceeded),
    ("34", R::BadRequest),
    ("36", R::LimitExceeded),
    ("38", R::RiskBlocked),
    ("39", R::NotPermitted),
    ("40", R::AuthenticationFailed),
    ("60", R::DeclinedByBank),
    ("61", R::CardInvalid),
    ("62", R::CardNotSupported),
    ("63", R::CardBlocked),
    ("64", R::NotEnoughBalance),
    ("65", R::WrongPassword),
    ("66", R::AuthenticationFailed),
    ("67", R::WrongPassword),
    ("68", R::CardNotSupported),
    ("69", R::ExpiredUnpaid),
    ("71", R::AuthenticationFailed),
    ("73", R::CardExpired),
    ("77", R::CardNotSupported),
    ("78", R::DeclinedByBank),
    ("79", R::AuthenticationFailed),
    ("86", R::TooManyRequests),
];

/// Response codes of card networks (field 39).
const ISO_8583: &[(&str, FailureReason)] = &[
    ("01", R::DeclinedByBank),
    ("03", R::NotPermitted),
    ("04", R::CardBlocked),
    ("05", R::DeclinedByBank),
    ("06", R::ProviderError),
    ("07", R::CardBlocked),
    ("12", R::DeclinedByBank),
    ("13", R::AmountNotAllowed),
    ("14", R::CardInvalid),
    ("15", R::CardInvalid),
    ("17", R::Cancelled),
    ("19", R::ProviderError),
    ("22", R::ProviderError),
    ("30", R::BadRequest),
    ("33", R::CardExpired),
    ("36", R::CardBlocked),
    ("38", R::WrongPassword),
    ("41", R::CardBlocked),
    ("43", R::CardBlocked),
    ("51", R::NotEnoughBalance),
    ("54", R::CardExpired),
    ("55", R::WrongPassword),
    ("57", R::CardNotSupported),
    ("58", R::NotPermitted),
    ("59", R::RiskBlocked),
    ("61", R::LimitExceeded),
    ("62", R::CardBlocked),
    ("63", R::RiskBlocked),
    ("65", R::LimitExceeded),
    ("68", R::Timeout),
    ("75", R::WrongPassword),
    ("78", R::CardBlocked),
    ("82", R::CardInvalid),
    ("91", R::BankUnavailable),
    ("92", R::BankUnavailable),
    ("93", R::DeclinedByBank),
    ("94", R::DuplicateOrder),
    ("96", R::ProviderError),
    ("98", R::Timeout),
    ("1A", R::AuthenticationFailed),
    ("N7", R::CardInvalid),
    ("R0", R::Cancelled),
    ("R1", R::Cancelled),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_lead_to_reasons() {
        for (provider, code, reason) in [
            ("wechat_pay", "NOTENOUGH", R::NotEnoughBalance),
            ("wechat_pay", "SYSTEM_ERROR", R::ProviderError),
            ("wechat_pay", "USERPAYING", R::WaitedForShopper),
            ("alipay", "ACQ.BUYER_BALANCE_NOT_ENOUGH", R::NotEnoughBalance),
            ("alipay", "aop.ACQ.SYSTEM_ERROR", R::ProviderError),
            ("alipay", "isv.invalid-signature", R::BadRequest),
            ("unionpay", "64", R::NotEnoughBalance),
            ("unionpay", "05", R::Timeout),
            ("", "05", R::DeclinedByBank),
            ("adyen", "51", R::NotEnoughBalance),
            ("adyen", "54", R::CardExpired),
            ("adyen", "91", R::BankUnavailable),
            ("adyen", "94", R::DuplicateOrder),
            ("stripe", "insufficient_funds", R::NotEnoughBalance),
        ] {
            assert_eq!(failure_reason(Word::of(provider), code), Some(reason), "{provider} {code}");
        }
        assert_eq!(failure_reason(Word::of("alipay"), "ACQ.SOMETHING_NEW"), None);
        assert_eq!(failure_reason(Word::NONE, ""), None);
    }

    #[test]
    fn no_code_stands_twice_in_a_list() {
        for codes in [WALLETS, CARDS, UNIONPAY, ISO_8583] {
            let distinct: BTreeSet<_> = codes.iter().map(|(code, _)| code).collect();
            assert_eq!(distinct.len(), codes.len());
            assert!(codes.iter().all(|(code, _)| *code == code.to_ascii_uppercase()));
        }
        let keys: BTreeSet<_> = FailureReason::ALL.iter().map(|reason| reason.as_str()).collect();
        assert_eq!(keys.len(), FailureReason::ALL.len());
    }
}
