//! Shoppers' own statements: they look like bills and are none.

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

/// Words that only such a statement has in its first lines.
pub const MARKS: [(&str, Consumer); 9] = [
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
