use std::borrow::Cow;

use super::fields::{
    amount, attributes, bounded, currency, day, instant, missing, required_text, signed_amount, text, word_of,
};
use super::judge::{Judge, Row};
use super::row_error::{Code, Fault};
use super::transaction::{WireMethodDetail, method_detail};
use super::wire::{Nested, Pairs, Text, object};
use super::{ATTRIBUTES_MAX, FREE_TEXT_CHARS_MAX, ID_CHARS_MAX, LABEL_CHARS_MAX};
use crate::domain::{Direction, LedgerKind, LedgerLine, Scene, Status};

/// Characters of a rate as printed, e.g. `0.60%` or `7.1234567890`.
const RATE_CHARS_MAX: usize = 32;
/// Hex digits of a SHA-256.
const SHA256_HEX_CHARS: usize = 64;
/// Largest line number of a file.
const LINE_NUMBER_MAX: i64 = 1_000_000_000;
const KINDS: &str = "payment, refund, dispute, fee, payout, transfer, adjustment";
const SCENES: &str = "static_qr, scanner, mini_program, official_account, h5, app, web, face, delivery_platform, \
     pos_terminal, other";

object! {
    /// A ledger line as it is sent.
    WireLedgerLine<'a> {
        line_id: Text<'a>, posted_at: Text<'a>, source_day: Text<'a>, store: Text<'a>, account: Text<'a>,
        provider: Text<'a>, status: Text<'a>, completed_at: Text<'a>, updated_at: Text<'a>, operator: Text<'a>,
        terminal: Text<'a>, scene: Text<'a>, list_amount: i64, discount_merchant: i64, discount_platform: i64,
        category: Text<'a>, attributes: Pairs<'a, ATTRIBUTES_MAX>, kind: Text<'a>, direction: Text<'a>,
        currency: Text<'a>, gross: i64, fee: i64, net: i64, fee_rate: Text<'a>, settle_currency: Text<'a>,
        settle_amount: i64, exchange_rate: Text<'a>, provider_transaction_id: Text<'a>,
        parent_transaction_id: Text<'a>, order_id: Text<'a>, payout_id: Text<'a>, method: Text<'a>,
        method_detail: Nested<WireMethodDetail<'a>>, customer: Text<'a>, description: Text<'a>, file: Text<'a>,
        line_number: i64, test: bool,
    }
}

impl<'de, T: From<Cow<'de, str>>> Row<'de> for LedgerLine<T> {
    type Wire = WireLedgerLine<'de>;

    fn judge(wire: WireLedgerLine<'de>, judge: &Judge<'_>) -> Result<Self, Fault> {
        let now = judge.now;
        let kind = word_of("kind", wire.kind, LedgerKind::parse, KINDS)?.ok_or_else(|| missing("kind"))?;
        let direction = word_of("direction", wire.direction, Direction::parse, "in, out")?;
        Ok(Self {
            line_id: required_text("line_id", wire.line_id, ID_CHARS_MAX)?,
            posted_at: instant("posted_at", wire.posted_at, now)?.ok_or_else(|| missing("posted_at"))?,
            source_day: day("source_day", wire.source_day, now)?,
            store: judge.store(wire.store)?,
            account: judge.account(wire.account)?,
            provider: judge.slug("provider", wire.provider)?,
            status: status_of(wire.status)?,
            completed_at: instant("completed_at", wire.completed_at, now)?,
            updated_at: instant("updated_at", wire.updated_at, now)?,
            operator: text("operator", wire.operator, LABEL_CHARS_MAX)?,
            terminal: text("terminal", wire.terminal, LABEL_CHARS_MAX)?,
            scene: word_of("scene", wire.scene, Scene::parse, SCENES)?,
            list_amount: amount("list_amount", wire.list_amount)?,
            discount_merchant: amount("discount_merchant", wire.discount_merchant)?,
            discount_platform: amount("discount_platform", wire.discount_platform)?,
            category: text("category", wire.category, LABEL_CHARS_MAX)?,
            attributes: wire.attributes.map_or(Ok(Vec::new()), |pairs| attributes(pairs.0))?,
            kind,
            direction: direction.ok_or_else(|| missing("direction"))?,
            currency: currency("currency", wire.currency)?.ok_or_else(|| missing("currency"))?,
            gross: amount("gross", wire.gross)?.ok_or_else(|| missing("gross"))?,
            fee: signed_amount("fee", wire.fee)?,
            net: signed_amount("net", wire.net)?,
            fee_rate: text("fee_rate", wire.fee_rate, RATE_CHARS_MAX)?,
            settle_currency: currency("settle_currency", wire.settle_currency)?,
            settle_amount: signed_amount("settle_amount", wire.settle_amount)?,
            exchange_rate: text("exchange_rate", wire.exchange_rate, RATE_CHARS_MAX)?,
            provider_transaction_id: text(
                "provider_transaction_id",
                wire.provider_transaction_id,
                ID_CHARS_MAX,
            )?,
            parent_transaction_id: text("parent_transaction_id", wire.parent_transaction_id, ID_CHARS_MAX)?,
            order_id: text("order_id", wire.order_id, ID_CHARS_MAX)?,
            payout_id: text("payout_id", wire.payout_id, ID_CHARS_MAX)?,
            method: judge.slug("method", wire.method)?,
            method_detail: method_detail(wire.method_detail)?,
            customer: judge.pseudonym("customer", wire.customer)?,
            description: text("description", wire.description, FREE_TEXT_CHARS_MAX)?,
            file: file_of(wire.file)?,
            line_number: bounded("line_number", wire.line_number, 0, LINE_NUMBER_MAX)?,
            test: judge.test(wire.test)?,
        })
    }
}

/// A line's state; `succeeded` where none is given, for a ledger says what has moved.
fn status_of(value: Option<Text<'_>>) -> Result<Status, Fault> {
    let parse = |word: &str| {
        Status::parse(word)
            .filter(|status| matches!(status, Status::Pending | Status::Succeeded | Status::Failed))
    };
    Ok(word_of("status", value, parse, "pending, succeeded, failed")?.unwrap_or(Status::Succeeded))
}

fn file_of<'a, T: From<Cow<'a, str>>>(value: Option<Text<'a>>) -> Result<Option<T>, Fault> {
    let Some(Text(hash)) = value else { return Ok(None) };
    if hash.len() != SHA256_HEX_CHARS || !hash.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Fault::new("file", Code::UnknownValue, "must be a SHA-256 in 64 hex digits"));
    }
    Ok(Some(T::from(Cow::Owned(hash.to_ascii_lowercase()))))
}
