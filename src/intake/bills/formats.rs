//! The formats that are taken. A new one is an entry in this table and a module with its reader.

use super::super::statements::{Camt, Mt940, TronGrid};
use super::adyen::{AdyenAccounting, AdyenSettlement};
use super::hyperswitch::Hyperswitch;
use super::reading::Reader;
use super::stripe::{StripeBalance, StripePayments};
use super::table::{Table, TableBill};
use super::{BillContext, alipay, alipay_account, paypal, wechat_pay, wechat_pay_flow};

/// A format of files.
#[derive(Debug)]
pub struct Format {
    /// What it is called in tests and logs.
    pub name: &'static str,
    /// How it is known among others.
    pub(in crate::intake) known: Known,
    /// Begins to read one file.
    pub(in crate::intake) open: Open,
}

impl PartialEq for Format {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// Makes the reader of one file.
pub(in crate::intake) type Open = for<'a> fn(&'a BillContext<'a>) -> Reader<'a>;

/// By what a file is known.
#[derive(Debug)]
pub enum Known {
    /// One of its first lines is a header with all columns of one of these sets. Capitals, spaces, underscores and the
    /// form of brackets do not matter.
    Header(&'static [&'static [&'static str]]),
    /// Its first lines, judged by the format.
    Start(fn(&[String]) -> bool),
}

/// Every format, the one with the most telling columns before one that has them among others.
pub(in crate::intake) static FORMATS: &[Format] = &[
    Format {
        name: "WeChat Pay trade bill",
        known: Known::Header(&[&wechat_pay::HEADER]),
        open: |context| Reader::Lines(Box::new(wechat_pay::WechatPayTrade::new(context))),
    },
    Format {
        name: "WeChat Pay fund-flow bill",
        known: Known::Header(&[&wechat_pay_flow::HEADER]),
        open: |context| Reader::Lines(Box::new(wechat_pay_flow::WechatPayFlow::new(context))),
    },
    Format {
        name: "Alipay trade bill",
        known: Known::Header(&[&alipay::HEADER]),
        open: |context| Reader::Lines(Box::new(alipay::AlipayTrade::new(context))),
    },
    Format {
        name: "Alipay account bill",
        known: Known::Header(&[&alipay_account::HEADER]),
        open: |context| Reader::Lines(Box::new(alipay_account::AlipayAccount::new(context))),
    },
    Format {
        name: "Stripe balance transactions",
        known: Known::Header(StripeBalance::HEADERS),
        open: |context| Reader::Records(Box::new(TableBill::<StripeBalance<'_>>::new(context))),
    },
    Format {
        name: "Stripe payments",
        known: Known::Header(StripePayments::HEADERS),
        open: |context| Reader::Records(Box::new(TableBill::<StripePayments<'_>>::new(context))),
    },
    Format {
        name: "Adyen settlement details",
        known: Known::Header(AdyenSettlement::HEADERS),
        open: |context| Reader::Records(Box::new(TableBill::<AdyenSettlement<'_>>::new(context))),
    },
    Format {
        name: "Adyen payments accounting",
        known: Known::Header(AdyenAccounting::HEADERS),
        open: |context| Reader::Records(Box::new(TableBill::<AdyenAccounting<'_>>::new(context))),
    },
    Format {
        name: "Hyperswitch payments report",
        known: Known::Header(Hyperswitch::HEADERS),
        open: |context| Reader::Records(Box::new(TableBill::<Hyperswitch<'_>>::new(context))),
    },
    Format {
        name: "PayPal report",
        known: Known::Header(&[&paypal::HEADER]),
        open: |context| Reader::Records(Box::new(paypal::Paypal::new(context))),
    },
    Format {
        name: "bank statement, camt.053",
        known: Known::Start(Camt::knows),
        open: |context| Reader::Stream(Box::new(Camt::new(context))),
    },
    Format {
        name: "bank statement, MT940",
        known: Known::Start(Mt940::knows),
        open: |context| Reader::Stream(Box::new(Mt940::new(context))),
    },
    Format {
        name: "USDT-TRC20 transfers, TronGrid",
        known: Known::Start(TronGrid::knows),
        open: |context| Reader::Stream(Box::new(TronGrid::new(context))),
    },
];
