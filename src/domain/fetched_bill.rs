/// A provider whose bills can be fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BillProvider {
    WechatPay,
    Alipay,
}

impl BillProvider {
    /// Both.
    pub const ALL: [Self; 2] = [Self::WechatPay, Self::Alipay];

    /// The provider's word, as in records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WechatPay => "wechat_pay",
            Self::Alipay => "alipay",
        }
    }

    /// The provider of a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|provider| provider.as_str() == word)
    }

    /// The kinds of bill that it has.
    pub const fn kinds(self) -> &'static [BillKind] {
        match self {
            Self::WechatPay => {
                &[BillKind::Trade, BillKind::FundBasic, BillKind::FundOperation, BillKind::FundFees]
            }
            Self::Alipay => &[BillKind::Trade, BillKind::Account],
        }
    }
}

/// A kind of bill that can be fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BillKind {
    /// Payments and refunds: 交易账单, 业务明细.
    Trade,
    /// Movements of WeChat Pay's basic account: 资金账单.
    FundBasic,
    /// … of its operation account.
    FundOperation,
    /// … of its fees account.
    FundFees,
    /// Movements of the Alipay account: 账务明细.
    Account,
}

impl BillKind {
    /// Every kind.
    pub const ALL: [Self; 5] =
        [Self::Trade, Self::FundBasic, Self::FundOperation, Self::FundFees, Self::Account];

    /// The word in the database and in forms.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trade => "trade",
            Self::FundBasic => "fund_basic",
            Self::FundOperation => "fund_operation",
            Self::FundFees => "fund_fees",
            Self::Account => "account",
        }
    }

    /// The kind of a word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}
