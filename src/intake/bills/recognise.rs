//! What a file is, by what it says, never by its name.

use super::columns::{Columns, normal};
use super::refusal::Refusal;

/// Lines that are looked at; the longest preamble of a consumer statement has 25.
pub const HEAD_LINES_MAX: usize = 60;

/// A bill that is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    WechatPayTrade,
    AlipayTrade,
}

/// A shopper's own statement: looks like a bill and is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consumer {
    WechatPay,
    Alipay,
    Jd,
    Meituan,
    Other,
}

impl Consumer {
    /// What it is and which file to take instead.
    pub const fn sentence_en(self) -> &'static str {
        match self {
            Self::WechatPay => {
                "This is a personal WeChat Pay statement (微信支付账单明细), not a merchant's bill. Download the trade bill (交易账单) from the WeChat Pay merchant platform, pay.weixin.qq.com, under 交易中心 → 交易账单."
            }
            Self::Alipay => {
                "This is a personal Alipay statement (电子客户回单), not a merchant's bill. Download the trade bill (业务账单, the ZIP with 业务明细.csv) from the Alipay merchant platform, b.alipay.com, under 对账中心 → 下载账单."
            }
            Self::Jd => {
                "This is a personal JD statement (京东交易明细), a shopper's own purchases, not a merchant's bill. Download the trade bill from the merchant platform of your payment provider instead: WeChat Pay (pay.weixin.qq.com) or Alipay (b.alipay.com)."
            }
            Self::Meituan => {
                "This is a personal Meituan statement (美团交易账单明细), a shopper's own purchases, not a merchant's bill. Download the trade bill from the merchant platform of your payment provider instead: WeChat Pay (pay.weixin.qq.com) or Alipay (b.alipay.com)."
            }
            Self::Other => {
                "This is a statement of a personal wallet, not a merchant's bill. Download the trade bill from the merchant platform of your payment provider instead: WeChat Pay (pay.weixin.qq.com) or Alipay (b.alipay.com)."
            }
        }
    }

    /// The same in Chinese.
    pub const fn sentence_zh(self) -> &'static str {
        match self {
            Self::WechatPay => {
                "这是个人微信的“微信支付账单明细”，不是商户账单。请登录微信支付商户平台（pay.weixin.qq.com），在“交易中心 → 交易账单”下载交易账单。"
            }
            Self::Alipay => {
                "这是个人支付宝的账单（电子客户回单），不是商户账单。请登录支付宝商家平台（b.alipay.com），在“对账中心 → 下载账单”下载业务账单（含“业务明细.csv”的 ZIP 文件）。"
            }
            Self::Jd => {
                "这是个人京东的交易明细，记录的是消费者自己的购物，不是商户账单。请从支付机构的商户平台下载交易账单：微信支付（pay.weixin.qq.com）或支付宝（b.alipay.com）。"
            }
            Self::Meituan => {
                "这是个人美团的交易账单明细，记录的是消费者自己的购物，不是商户账单。请从支付机构的商户平台下载交易账单：微信支付（pay.weixin.qq.com）或支付宝（b.alipay.com）。"
            }
            Self::Other => {
                "这是个人钱包的账单，不是商户账单。请从支付机构的商户平台下载交易账单：微信支付（pay.weixin.qq.com）或支付宝（b.alipay.com）。"
            }
        }
    }
}

/// A bill of account movements: known, not taken yet, so that fees and refunds are not counted from two files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FundFlow {
    WechatPay,
    Alipay,
}

impl FundFlow {
    /// What it is and which file to take instead.
    pub const fn sentence_en(self) -> &'static str {
        match self {
            Self::WechatPay => {
                "This is a WeChat Pay fund-flow bill (资金账单). Tillwatch recognises it and will take it in a later version; nothing was imported. For payments and fees import the trade bill (交易账单)."
            }
            Self::Alipay => {
                "This is an Alipay account bill (账务明细). Tillwatch recognises it and will take it in a later version; nothing was imported. For payments and fees import the trade bill (业务明细)."
            }
        }
    }

    /// The same in Chinese.
    pub const fn sentence_zh(self) -> &'static str {
        match self {
            Self::WechatPay => {
                "这是微信支付的资金账单。账衡能识别，后续版本会支持，本次没有导入任何内容。交易和手续费请导入交易账单。"
            }
            Self::Alipay => {
                "这是支付宝的账务明细。账衡能识别，后续版本会支持，本次没有导入任何内容。交易和手续费请导入业务明细。"
            }
        }
    }
}

/// The columns without which a line is not the header of a WeChat Pay trade bill.
pub const WECHAT_PAY_TRADE: [&str; 4] = ["交易时间", "商户号", "微信订单号", "交易状态"];
/// The same for an Alipay trade bill.
pub const ALIPAY_TRADE: [&str; 3] = ["支付宝交易号", "业务类型", "订单金额(元)"];

const CONSUMERS: [(&str, Consumer); 9] = [
    ("微信支付账单明细", Consumer::WechatPay),
    ("微信昵称", Consumer::WechatPay),
    ("电子客户回单", Consumer::Alipay),
    ("支付宝账户:", Consumer::Alipay),
    ("支付宝交易记录明细查询", Consumer::Alipay),
    ("京东账号名", Consumer::Jd),
    ("京东交易流水", Consumer::Jd),
    ("美团交易账单", Consumer::Meituan),
    ("美团用户名", Consumer::Meituan),
];

/// The format that the first lines of a file speak of.
///
/// # Errors
/// [`Refusal`] for what is known and not taken, [`Refusal::Unknown`] for the rest.
pub fn recognise(head: &[String]) -> Result<Format, Refusal> {
    let first = head.iter().find(|line| !line.trim().is_empty()).ok_or(Refusal::Empty)?;
    for line in head {
        // A row's free text may hold any words; only titles and headers speak of the file.
        let title = normal(line);
        if line.starts_with('`') {
            continue;
        }
        if let Some(found) = by_header(line).or_else(|| by_title(&title)) {
            return found;
        }
    }
    let start = first.trim_start_matches(['\u{feff}', ' ']).to_ascii_lowercase();
    let is_answer = ["<xml", "<?xml", "<html", "<!doctype"].iter().any(|tag| start.starts_with(tag))
        || (start.starts_with('{') && start.contains("\"code\""));
    Err(if is_answer { Refusal::ErrorAnswer } else { Refusal::Unknown })
}

fn by_header(line: &str) -> Option<Result<Format, Refusal>> {
    if !line.contains(',') {
        return None;
    }
    let columns = Columns::of_header(line);
    if columns.has_all(&WECHAT_PAY_TRADE) {
        return Some(Ok(Format::WechatPayTrade));
    }
    if columns.has_all(&ALIPAY_TRADE) {
        return Some(Ok(Format::AlipayTrade));
    }
    if columns.has_all(&["资金流水单号", "收支类型"]) {
        return Some(Err(Refusal::FundFlow(FundFlow::WechatPay)));
    }
    if columns.has_all(&["账务流水号", "业务流水号"]) {
        return Some(Err(Refusal::FundFlow(FundFlow::Alipay)));
    }
    let partner = columns.find(&["交易对方", "商户名称", "订单标题", "对方账号"]);
    if columns.has_all(&["收/支"]) && partner.is_some() {
        return Some(Err(Refusal::Consumer(Consumer::Other)));
    }
    None
}

fn by_title(title: &str) -> Option<Result<Format, Refusal>> {
    if title.starts_with("#支付宝业务汇总查询") || title.starts_with("#支付宝账务汇总查询")
    {
        return Some(Err(Refusal::AlipaySummary));
    }
    if title.starts_with("#支付宝账务明细查询") {
        return Some(Err(Refusal::FundFlow(FundFlow::Alipay)));
    }
    // The header follows; it is what decides, so that a title alone is no bill.
    let consumer = CONSUMERS.iter().find(|(mark, _)| title.contains(mark))?;
    Some(Err(Refusal::Consumer(consumer.1)))
}
