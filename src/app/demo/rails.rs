use chrono::TimeDelta;

use super::random::Random;
use super::script::BEIJING;
use super::shops::Rail;
use crate::domain::{FailureClass, Instant, Scene, Status};

/// A provider's word for a failure, and how often it is the one.
#[derive(Debug)]
pub struct Failure {
    pub code: &'static str,
    pub message: &'static str,
    pub class: FailureClass,
    weight: u64,
}

/// How an attempt ends.
#[derive(Debug)]
pub struct Ending {
    pub status: Status,
    pub failure: Option<&'static Failure>,
    /// From submitted to the end, milliseconds.
    pub takes_ms: i64,
}

const fn failure(code: &'static str, message: &'static str, class: FailureClass, weight: u64) -> Failure {
    Failure { code, message, class, weight }
}

const WECHAT: &[Failure] = &[
    failure("NOTENOUGH", "余额不足", FailureClass::Customer, 34),
    failure("AUTH_CODE_EXPIRE", "二维码已过期，请刷新后再试", FailureClass::Customer, 22),
    failure("BANKERROR", "银行系统异常", FailureClass::Technical, 12),
    failure("SYSTEMERROR", "系统超时", FailureClass::Technical, 10),
    failure("RULELIMIT", "交易金额或次数超限", FailureClass::Risk, 10),
    failure("NOTSUPORTCARD", "不支持该卡类型", FailureClass::Issuer, 7),
    failure("PARAM_ERROR", "参数错误", FailureClass::Merchant, 3),
];
const ALIPAY: &[Failure] = &[
    failure("ACQ.BUYER_BALANCE_NOT_ENOUGH", "买家余额不足", FailureClass::Customer, 30),
    failure("ACQ.PAYMENT_AUTH_CODE_INVALID", "付款码无效", FailureClass::Customer, 24),
    failure("ACQ.BUYER_BANKCARD_BALANCE_NOT_ENOUGH", "银行卡余额不足", FailureClass::Issuer, 16),
    failure("ACQ.SYSTEM_ERROR", "系统错误", FailureClass::Technical, 12),
    failure("ACQ.PAYMENT_REQUEST_HAS_RISK", "支付有风险", FailureClass::Risk, 9),
    failure("ACQ.INVALID_PARAMETER", "参数无效", FailureClass::Merchant, 3),
];
const ALIPAY_DOWN: &[Failure] = &[
    failure("ACQ.SYSTEM_ERROR", "系统错误", FailureClass::Technical, 60),
    failure("AOP.GATEWAY_TIMEOUT", "网关超时", FailureClass::Technical, 40),
];
const UNIONPAY: &[Failure] = &[
    failure("51", "余额不足", FailureClass::Issuer, 34),
    failure("61", "超出金额限制", FailureClass::Issuer, 18),
    failure("05", "交易被拒绝", FailureClass::Issuer, 16),
    failure("91", "发卡行或网络不可用", FailureClass::Technical, 20),
    failure("34", "疑似欺诈", FailureClass::Risk, 6),
];
const CARD: &[Failure] = &[
    failure("insufficient_funds", "The card has insufficient funds.", FailureClass::Issuer, 34),
    failure("do_not_honor", "The card was declined.", FailureClass::Issuer, 26),
    failure("authentication_failed", "3D Secure was not passed.", FailureClass::Customer, 18),
    failure("incorrect_cvc", "The security code is incorrect.", FailureClass::Customer, 9),
    failure("processing_error", "The processor had an error.", FailureClass::Technical, 9),
    failure("expired_card", "The card has expired.", FailureClass::Customer, 6),
    failure("fraudulent", "The payment was declined as suspicious.", FailureClass::Risk, 4),
];
const BANK: &[Failure] = &[
    failure("ACCOUNT_MISMATCH", "Account name does not match", FailureClass::Customer, 50),
    failure("BANK_UNAVAILABLE", "Bank is not available", FailureClass::Technical, 50),
];
const PAYPAL: &[Failure] = &[
    failure("INSTRUMENT_DECLINED", "The instrument was declined.", FailureClass::Issuer, 62),
    failure("PAYER_CANNOT_PAY", "The payer cannot pay.", FailureClass::Customer, 24),
    failure("INTERNAL_SERVICE_ERROR", "Internal service error.", FailureClass::Technical, 14),
];

/// Shares of the endings per thousand; what is left of the thousand is blocked.
struct Odds {
    succeeded: u64,
    failed: u64,
    cancelled: u64,
    expired: u64,
}

const fn odds(succeeded: u64, failed: u64, cancelled: u64, expired: u64) -> Odds {
    Odds { succeeded, failed, cancelled, expired }
}

/// True for a meeting at the till, where shopper and cashier wait for the answer.
const fn is_at_till(scene: Scene) -> bool {
    matches!(scene, Scene::Scanner | Scene::StaticQr | Scene::Face | Scene::PosTerminal | Scene::Other)
}

const fn odds_of(rail: Rail, scene: Scene) -> Odds {
    match (rail, is_at_till(scene)) {
        (Rail::WeChatPay, true) => odds(975, 15, 7, 3),
        (Rail::WeChatPay, false) => odds(912, 28, 38, 22),
        (Rail::Alipay, true) => odds(971, 18, 7, 4),
        (Rail::Alipay, false) => odds(901, 33, 42, 24),
        (Rail::UnionPay, true) => odds(952, 38, 6, 4),
        (Rail::UnionPay, false) => odds(872, 66, 38, 24),
        (Rail::Card, true) => odds(948, 46, 6, 0),
        (Rail::Card, false) => odds(872, 74, 28, 14),
        (Rail::BankTransfer, _) => odds(925, 18, 12, 45),
        (Rail::Cash, _) => odds(1_000, 0, 0, 0),
        (Rail::PayPal, _) => odds(906, 34, 44, 16),
        (Rail::Usdt, _) => odds(862, 0, 12, 126),
    }
}

const fn failures_of(rail: Rail) -> &'static [Failure] {
    match rail {
        Rail::WeChatPay => WECHAT,
        Rail::Alipay => ALIPAY,
        Rail::UnionPay => UNIONPAY,
        Rail::BankTransfer => BANK,
        Rail::PayPal => PAYPAL,
        Rail::Card | Rail::Cash | Rail::Usdt => CARD,
    }
}

/// Milliseconds from submitted to paid: shortest, longest; the short end is likelier.
const fn pace(rail: Rail, scene: Scene) -> (i64, i64) {
    match (rail, scene) {
        (Rail::Cash, _) => (0, 0),
        (Rail::BankTransfer, _) => (9 * 60_000, 26 * 3_600_000),
        (Rail::Usdt, _) => (70_000, 900_000),
        (Rail::PayPal, _) => (9_000, 90_000),
        (_, Scene::Scanner | Scene::Face) => (700, 5_200),
        (_, Scene::PosTerminal) => (1_600, 7_500),
        (_, Scene::StaticQr) => (4_000, 42_000),
        _ => (3_200, 38_000),
    }
}

/// Draws how an attempt ends. In an outage most attempts run into a time-out.
pub fn ending(rail: Rail, scene: Scene, down: bool, random: &mut Random) -> Ending {
    let odds = if down { odds(340, 630, 20, 10) } else { odds_of(rail, scene) };
    let known = odds.succeeded + odds.failed + odds.cancelled + odds.expired;
    let shares = [odds.succeeded, odds.failed, odds.cancelled, odds.expired, 1_000 - known];
    let (shortest, longest) = pace(rail, scene);
    let mut takes_ms = random.skewed(shortest, longest);
    let status = match random.weighted(shares.into_iter()) {
        0 => Status::Succeeded,
        1 => Status::Failed,
        2 => Status::Cancelled,
        3 => Status::Expired,
        _ => Status::Blocked,
    };
    let mut failure = None;
    match status {
        Status::Succeeded if rail != Rail::Cash && random.chance(9_000) => takes_ms *= 7,
        Status::Failed => {
            let list = if down { ALIPAY_DOWN } else { failures_of(rail) };
            failure = list.get(random.weighted(list.iter().map(|one| one.weight)));
            if failure.is_some_and(|one| one.class == FailureClass::Technical) {
                takes_ms = random.between(9_000, 31_000);
            }
        }
        Status::Cancelled => takes_ms = random.skewed(8_000, 150_000),
        Status::Expired => takes_ms = lifetime_ms(rail, scene),
        Status::Blocked => takes_ms = random.between(80, 400),
        _ => {}
    }
    Ending { status, failure, takes_ms }
}

/// How long an unpaid attempt stays open.
pub const fn lifetime_ms(rail: Rail, scene: Scene) -> i64 {
    match rail {
        Rail::BankTransfer => 72 * 3_600_000,
        Rail::Usdt => 60 * 60_000,
        _ if is_at_till(scene) => 5 * 60_000,
        _ => 15 * 60_000,
    }
}

/// The id that the provider gives to a paid (or, by card, an attempted) payment.
pub fn provider_id(rail: Rail, at: Instant, random: &mut Random) -> Option<String> {
    let local = at.with_timezone(&BEIJING);
    match rail {
        Rail::WeChatPay => {
            Some(format!("42000{}{}{}", random.digits(5), local.format("%Y%m%d"), random.digits(10)))
        }
        Rail::Alipay => Some(format!("{}22001{}", local.format("%Y%m%d"), random.digits(15))),
        Rail::UnionPay => Some(format!("{}{}", local.format("%Y%m%d%H%M%S"), random.digits(7))),
        Rail::Card => Some(format!("ch_3Q{}", random.letters(22))),
        Rail::BankTransfer => Some(format!("FT{}", random.letters(14))),
        Rail::PayPal => Some(random.letters(17).to_uppercase()),
        Rail::Usdt => Some(format!("{:016x}{:016x}", random.next(), random.next())),
        Rail::Cash => None,
    }
}

/// A rate in millionths, rounded half up to the minor unit, as the providers do.
pub const fn share_half_up(amount: i64, per_million: i64) -> i64 {
    (amount * per_million + 500_000) / 1_000_000
}

/// The fee that a live answer carries. WeChat Pay, Alipay and UnionPay tell theirs in the bill only.
pub fn live_fee(provider: &str, rail: Rail, amount: i64) -> Option<i64> {
    match (provider, rail) {
        ("stripe", _) => Some(share_half_up(amount, 15_000) + 20),
        ("paypal", _) => Some(share_half_up(amount, 29_000) + 30),
        ("chinaums", _) => Some(share_half_up(amount, 6_000)),
        ("truelayer", _) => Some(25),
        (_, Rail::Cash) => Some(0),
        _ => None,
    }
}

/// When the money arrives, in days after the payment; only where the answer says so.
pub fn settles_after(provider: &str) -> Option<TimeDelta> {
    match provider {
        "stripe" => Some(TimeDelta::days(2)),
        "chinaums" => Some(TimeDelta::days(1)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odds_are_shares_of_a_thousand() {
        let rails = [
            Rail::WeChatPay,
            Rail::Alipay,
            Rail::UnionPay,
            Rail::Card,
            Rail::BankTransfer,
            Rail::Cash,
            Rail::PayPal,
            Rail::Usdt,
        ];
        for rail in rails {
            for scene in Scene::ALL {
                let odds = odds_of(rail, *scene);
                assert!(odds.succeeded + odds.failed + odds.cancelled + odds.expired <= 1_000);
                assert!(odds.failed == 0 || !failures_of(rail).is_empty());
            }
        }
    }

    #[test]
    fn fees_are_rounded_half_up_to_the_fen() {
        // 0.60 % of 0.83 is nothing, of 0.84 one fen, of 2.49 one, of 2.50 two.
        for (amount, fee) in [(83, 0), (84, 1), (249, 1), (250, 2), (12_800, 77)] {
            assert_eq!(share_half_up(amount, 6_000), fee, "{amount}");
        }
    }
}
