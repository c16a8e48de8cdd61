//! Transfers of USDT on Tron, as TronGrid's `/v1/accounts/{address}/transactions/trc20` answers: one page or several, one
//! behind the other.
//!
//! Symbols are not believed: anybody may issue a token that calls itself USDT. Only the official contract counts.

use std::cell::RefCell;
use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader, Seek};
use std::rc::Rc;

use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::super::bills::{
    About, Bill, BillContext, Fault, Give, Line, NotData, Refusal, RejectCode, RejectedLine, SpoolError,
    StreamBill, TotalsCheck, in_range,
};
use super::super::guarded::{Gauge, Guarded};
use crate::domain::{
    AMOUNT_MINOR_MAX, Currency, Direction, LedgerKind, LedgerLine, MethodDetail, Status, Word,
    instant_from_ms,
};

/// Tether's own contract.
const CONTRACT: &str = "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t";
/// Its decimal places, as in the table of currencies.
const DECIMALS: u64 = 6;
const CURRENCY: &str = "USDT";
/// Bytes of one transfer in the file; a real one has 600.
pub const TRANSFER_BYTES_MAX: u64 = 64 << 10;
/// Longest address, of any chain.
const ADDRESS_CHARS_MAX: usize = 64;
/// Transfers of one transaction that are told apart.
const TRANSFERS_MAX: usize = 1_000;
/// Characters of the hash that keeps the transfers of one transaction apart.
const HASH_CHARS: usize = 12;

/// Reader of one file.
pub struct TronGrid<'a> {
    context: &'a BillContext<'a>,
    own: String,
    has_more: bool,
    pages: u64,
    number: u64,
    /// The transaction of the row before, and the ids of its transfers so far.
    transaction: (String, Vec<String>),
}

/// One element of `data`; whatever else it holds is passed over.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Transfer {
    transaction_id: String,
    token_info: Token,
    block_timestamp: i64,
    from: String,
    to: String,
    #[serde(rename = "type")]
    kind: String,
    value: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Token {
    address: String,
    decimals: Option<u64>,
}

/// What a page says of itself.
#[derive(Debug, Default)]
struct PageEnd {
    success: Option<bool>,
    has_data: bool,
    has_more: bool,
}

impl<'a> TronGrid<'a> {
    /// A reader that has seen nothing yet.
    pub fn new(context: &'a BillContext<'a>) -> Self {
        Self {
            context,
            own: String::new(),
            has_more: false,
            pages: 0,
            number: 0,
            transaction: (String::new(), Vec::new()),
        }
    }

    /// True when the first lines are those of such an answer.
    pub fn knows(head: &[String]) -> bool {
        let text = head.iter().map(String::as_str).collect::<String>();
        let text = text.trim_start_matches(['\u{feff}', ' ', '\t']);
        let has = |names: &[&str]| names.iter().all(|name| text.contains(name));
        let is_empty = || has(&["\"success\"", "\"meta\"", "\"page_size\""]);
        text.starts_with('{')
            && has(&["\"data\""])
            && (has(&["\"token_info\"", "\"block_timestamp\""]) || is_empty())
    }

    fn line(&mut self, transfer: &Transfer) -> Line {
        self.number += 1;
        let is_ours = transfer.token_info.address == CONTRACT && transfer.kind == "Transfer";
        // Nothing moved: such transfers are sent to put a look-alike address into one's history.
        let is_nothing = transfer.value.bytes().all(|byte| byte == b'0');
        if !is_ours || is_nothing || transfer.from == transfer.to {
            // Only rows that stand one behind the other are of one transaction.
            self.transaction.0.clear();
            return Line::NotData(NotData::Passed);
        }
        let id = self.id_of(transfer);
        match self.ledger_line(transfer, id) {
            Ok(line) => Line::Row(Box::new(line)),
            Err(fault) => Line::Rejected(RejectedLine::new(self.number, fault, None)),
        }
    }

    /// A transaction may hold several transfers, and the answer does not number them: what is moved tells them apart, and
    /// of those that move the same, standing one behind the other, which it is.
    fn id_of(&mut self, transfer: &Transfer) -> String {
        let (transaction, ids) = &mut self.transaction;
        if *transaction != transfer.transaction_id {
            transfer.transaction_id.clone_into(transaction);
            ids.clear();
        }
        let what =
            [&transfer.transaction_id, &transfer.from, &transfer.to, &transfer.value].map(String::as_str);
        let hash = blake3::hash(what.join("\u{1f}").as_bytes()).to_hex();
        let hash: String = hash.chars().take(HASH_CHARS).collect();
        let plain = format!("{transaction}~{hash}");
        let before = ids.iter().filter(|id| **id == plain).count();
        let id = if before == 0 { plain.clone() } else { format!("{plain}#{}", before + 1) };
        if ids.len() < TRANSFERS_MAX {
            ids.push(plain);
        }
        id
    }

    fn ledger_line(&self, transfer: &Transfer, line_id: String) -> Result<LedgerLine, Fault> {
        if transfer.token_info.decimals != Some(DECIMALS) {
            let found = transfer.token_info.decimals.map_or_else(String::new, |found| found.to_string());
            return Err(Fault::quoting("token_info.decimals", RejectCode::UnknownCurrency, &found));
        }
        if transfer.transaction_id.is_empty() || transfer.transaction_id.len() > 100 {
            return Err(Fault::new("transaction_id", RejectCode::Missing));
        }
        let gross = minor_of(&transfer.value)?;
        let time = transfer.block_timestamp.to_string();
        let at = instant_from_ms(transfer.block_timestamp);
        let posted_at = in_range("block_timestamp", &time, at, self.context.now)?;
        let currency = Currency::parse(CURRENCY).map_err(|_| Fault::new("", RejectCode::UnknownCurrency))?;
        let is_in = transfer.to == self.own;
        let other = if is_in { &transfer.from } else { &transfer.to };
        Ok(LedgerLine {
            line_id,
            posted_at,
            source_day: Some(posted_at.date_naive()),
            store: self.context.store,
            account: self.own.clone(),
            provider: Some(Word::of("trc20")),
            status: Status::Succeeded,
            completed_at: Some(posted_at),
            updated_at: Some(posted_at),
            operator: None,
            terminal: None,
            scene: None,
            list_amount: None,
            discount_merchant: None,
            discount_platform: None,
            category: None,
            attributes: Vec::new(),
            kind: if is_in { LedgerKind::Payment } else { LedgerKind::Transfer },
            direction: if is_in { Direction::In } else { Direction::Out },
            currency,
            gross,
            // The sender pays the network; what the transfer cost is not in the answer.
            fee: None,
            net: Some(if is_in { gross } else { -gross }),
            fee_rate: None,
            settle_currency: None,
            settle_amount: None,
            exchange_rate: None,
            provider_transaction_id: Some(transfer.transaction_id.clone()),
            parent_transaction_id: None,
            order_id: None,
            payout_id: None,
            method: Some(Word::of("usdt")),
            method_detail: MethodDetail::default(),
            customer: Some(self.context.pseudonyms.of("customer", "trc20", other)),
            description: None,
            file: Some(self.context.file.to_owned()),
            line_number: i64::try_from(self.number).ok(),
            test: false,
        })
    }

    /// The address that the file is about: the one given, or the only one that every row has.
    fn find_own(&mut self, text: &mut BufReader<File>) -> Result<(), SpoolError> {
        let mut common: Option<Vec<String>> = None;
        read_pages(text, &mut |transfer, _| {
            let sides = [&transfer.from, &transfer.to];
            match &mut common {
                None => common = Some(sides.into_iter().cloned().collect()),
                Some(common) => common.retain(|address| sides.contains(&address)),
            }
            Ok(())
        })?;
        let given = self.context.hints.account.clone();
        // An answer without transfers is of no address, and that is no fault.
        let Some(mut common) = common else { return Ok(()) };
        common.dedup();
        let own = given.or_else(|| if common.len() == 1 { common.pop() } else { None });
        match own.filter(|own| own.chars().count() <= ADDRESS_CHARS_MAX) {
            Some(own) => self.own = own,
            None => return Err(Refusal::OwnAddressUnknown.into()),
        }
        Ok(())
    }
}

impl Bill for TronGrid<'_> {
    fn provider(&self) -> &'static str {
        "trc20"
    }

    fn about(&self) -> About {
        let more = if self.has_more { ", more pages follow" } else { "" };
        About {
            variant: format!("USDT-TRC20 × {}{more}", self.pages),
            zone: "UTC".to_owned(),
            ..About::default()
        }
    }

    fn finish(&mut self) -> Result<TotalsCheck, Refusal> {
        Ok(TotalsCheck::NoSummary)
    }
}

impl StreamBill for TronGrid<'_> {
    fn read(&mut self, mut text: BufReader<File>, give: &mut Give<'_>) -> Result<(), SpoolError> {
        self.find_own(&mut text)?;
        text.rewind()?;
        let ends = read_pages(&mut text, &mut |transfer, position| {
            if transfer.from != self.own && transfer.to != self.own {
                return Err(Refusal::OwnAddressUnknown);
            }
            let line = self.line(transfer);
            give(line, position)
        })?;
        self.pages = ends.0;
        self.has_more = ends.1;
        Ok(())
    }
}

/// Units of the token, which may be more than any number here holds.
fn minor_of(value: &str) -> Result<i64, Fault> {
    if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Fault::quoting("value", RejectCode::NotAnAmount, value));
    }
    let units: Option<i64> = value.parse().ok();
    units
        .filter(|units| *units <= AMOUNT_MINOR_MAX)
        .ok_or_else(|| Fault::quoting("value", RejectCode::AmountOutOfRange, value))
}

/// Takes a transfer, with the bytes that were gone through.
type Take<'a> = dyn FnMut(&Transfer, u64) -> Result<(), Refusal> + 'a;

/// Reads pages to the end of the text, one transfer at a time; gives the number of pages and whether the last one says
/// that more follow.
fn read_pages(text: &mut BufReader<File>, take: &mut Take<'_>) -> Result<(u64, bool), SpoolError> {
    let gauge = Gauge::new(TRANSFER_BYTES_MAX);
    let mut guarded = Guarded::new(text, Rc::clone(&gauge));
    let mut pages = 0;
    let mut has_more = false;
    while goes_on(&mut guarded, &gauge)? {
        let stopped = RefCell::new(None);
        let page = Page { take: &mut *take, gauge: &gauge, stopped: &stopped };
        let mut reader = serde_json::Deserializer::from_reader(&mut guarded);
        let end = page.deserialize(&mut reader);
        if let Some(refusal) = stopped.into_inner() {
            return Err(SpoolError::Refused(refusal));
        }
        let end = end.map_err(|error| refused(&error, &gauge))?;
        if end.success == Some(false) || !end.has_data {
            return Err(Refusal::ErrorAnswer.into());
        }
        has_more = end.has_more;
        pages += 1;
    }
    Ok((pages, has_more))
}

/// Passes over space between pages; false at the end.
fn goes_on(text: &mut impl BufRead, gauge: &Gauge) -> Result<bool, SpoolError> {
    loop {
        gauge.restart();
        let there = text.fill_buf()?;
        let space = there.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        let (is_end, is_all) = (there.is_empty(), space == there.len());
        text.consume(space);
        if is_end || !is_all {
            return Ok(!is_end);
        }
    }
}

fn refused(error: &serde_json::Error, gauge: &Gauge) -> SpoolError {
    if gauge.is_exceeded() {
        return Refusal::Json { line: error.line(), too_long: true }.into();
    }
    match error.classify() {
        serde_json::error::Category::Eof => Refusal::CutOff.into(),
        serde_json::error::Category::Io => {
            std::io::Error::new(error.io_error_kind().unwrap_or(std::io::ErrorKind::Other), error.to_string())
                .into()
        }
        _ => Refusal::Json { line: error.line(), too_long: false }.into(),
    }
}

/// One page, of which nothing is kept but its end.
struct Page<'a, 'b> {
    take: &'a mut Take<'b>,
    gauge: &'a Gauge,
    stopped: &'a RefCell<Option<Refusal>>,
}

impl<'de> DeserializeSeed<'de> for Page<'_, '_> {
    type Value = PageEnd;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<PageEnd, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Page<'_, '_> {
    type Value = PageEnd;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a page of transfers")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<PageEnd, A::Error> {
        #[derive(Deserialize)]
        struct Meta {
            fingerprint: Option<String>,
        }
        let mut end = PageEnd::default();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "data" => {
                    end.has_data = true;
                    map.next_value_seed(Rows {
                        take: &mut *self.take,
                        gauge: self.gauge,
                        stopped: self.stopped,
                    })?;
                }
                "success" => end.success = Some(map.next_value()?),
                "meta" => {
                    let meta: Meta = map.next_value()?;
                    end.has_more = meta.fingerprint.is_some_and(|cursor| !cursor.is_empty());
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(end)
    }
}

/// The rows of one page.
struct Rows<'a, 'b> {
    take: &'a mut Take<'b>,
    gauge: &'a Gauge,
    stopped: &'a RefCell<Option<Refusal>>,
}

impl<'de> DeserializeSeed<'de> for Rows<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Rows<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of transfers")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<(), A::Error> {
        self.gauge.restart();
        while let Some(transfer) = rows.next_element::<Transfer>()? {
            if let Err(refusal) = (self.take)(&transfer, self.gauge.position()) {
                *self.stopped.borrow_mut() = Some(refusal);
                return Err(A::Error::custom("stopped"));
            }
            self.gauge.restart();
        }
        Ok(())
    }
}
