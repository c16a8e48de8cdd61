//! One line of a table, judged alone.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::super::super::api::NAME_CHARS_MAX;
use super::super::super::bills::{Fault, ID_CHARS_MAX, Refusal, RejectCode, is_excel_damaged, minor};
use super::super::super::holds_card_number;
use super::super::MappingContext;
use super::super::amounts::amount;
use super::super::config::{ColumnNames, SlugField, Unit, slug_of, word_of};
use super::super::header::Header;
use super::super::line::{cell, id_of, major_of};
use super::super::times::{Clockwork, Told, joined};
use super::config::{AmountField, FeeMeans, LineField, LineMapping, Movement, SignMeans};
use crate::domain::{Currency, Direction, LedgerKind, LedgerLine, MethodDetail, Status, Word};

/// Where the columns that a mapping names stand in this file.
pub struct Places {
    id: Vec<usize>,
    posted_at: usize,
    time: Option<usize>,
    account: Option<usize>,
    currency: Option<usize>,
    customer: Option<usize>,
    status: Option<usize>,
    store: Option<usize>,
    amount: usize,
    /// The column of the direction's word, or of what went out.
    other: Option<usize>,
    fields: BTreeMap<LineField, usize>,
    amounts: BTreeMap<AmountField, usize>,
    attributes: Vec<(String, usize)>,
    kinds: Vec<Option<usize>>,
    skip: Vec<usize>,
}

impl Places {
    /// Looks every named column up in the header.
    pub fn of(header: &Header, mapping: &LineMapping) -> Result<Self, Refusal> {
        let of = &mapping.line;
        let find = |name: &String| header.find(name);
        let maybe = |name: Option<&String>| name.map(find).transpose();
        let (amount, other) = match &mapping.amount {
            Movement::Column { column, .. } => (find(column)?, None),
            Movement::Directed { column, direction, .. } => (find(column)?, Some(find(direction)?)),
            Movement::TwoColumns { r#in, out, .. } => (find(r#in)?, Some(find(out)?)),
        };
        let attributes = of.attributes.iter().map(|(key, column)| Ok((key.clone(), find(column)?)));
        let fields = of.fields.iter().map(|(field, column)| Ok((*field, find(column)?)));
        let amounts = of.amounts.iter().map(|(field, column)| Ok((*field, find(column)?)));
        let kinds = mapping.kind.iter().map(|rule| maybe(rule.when.as_ref().map(|when| &when.column)));
        Ok(Self {
            id: of.id.iter().flat_map(ColumnNames::names).map(find).collect::<Result<_, _>>()?,
            posted_at: find(&of.posted_at.column)?,
            time: maybe(of.posted_at.time_column.as_ref())?,
            account: maybe(of.account.as_ref())?,
            currency: maybe(of.currency.as_ref())?,
            customer: maybe(of.customer.as_ref().map(|customer| &customer.column))?,
            status: maybe(of.status.as_ref().map(|status| &status.column))?,
            store: maybe(of.store.as_ref().map(|store| &store.column))?,
            amount,
            other,
            fields: fields.collect::<Result<_, Refusal>>()?,
            amounts: amounts.collect::<Result<_, Refusal>>()?,
            attributes: attributes.collect::<Result<_, Refusal>>()?,
            kinds: kinds.collect::<Result<_, _>>()?,
            skip: mapping.skip.iter().map(|condition| find(&condition.column)).collect::<Result<_, _>>()?,
        })
    }
}

/// Reads the lines of one file.
pub struct LineReader<'a> {
    pub mapping: &'a LineMapping,
    pub places: &'a Places,
    pub names: &'a [String],
    pub context: &'a MappingContext<'a>,
}

/// What moved.
struct Moved {
    direction: Direction,
    gross: i64,
}

impl LineReader<'_> {
    /// True for a line that is passed over.
    pub fn is_skipped(&self, record: &csv::StringRecord) -> bool {
        let mut conditions = self.mapping.skip.iter().zip(&self.places.skip);
        let of = self.mapping.line.store.as_ref().zip(self.places.store);
        conditions.any(|(condition, place)| condition.holds(cell(record, *place)))
            || of.is_some_and(|(store, place)| !store.is.iter().any(|name| name == cell(record, place)))
    }

    /// True when a number that should be an id went through a spreadsheet and lost digits.
    pub fn is_damaged(&self, record: &csv::StringRecord) -> bool {
        let ids = [
            LineField::OrderId,
            LineField::ProviderTransactionId,
            LineField::ParentTransactionId,
            LineField::PayoutId,
        ];
        let fields = ids.iter().filter_map(|field| self.places.fields.get(field));
        self.places.id.iter().chain(fields).any(|place| is_excel_damaged(cell(record, *place)))
    }

    /// The line's own id; `None` where the file has none.
    pub fn id(&self, record: &csv::StringRecord) -> Result<Option<String>, Fault> {
        id_of(record, &self.places.id, self.names)
    }

    /// The line as it stands, without its customer.
    pub fn redacted(&self, record: &csv::StringRecord) -> String {
        let shown = record.iter().enumerate().map(|(place, cell)| {
            if self.places.customer == Some(place) && !cell.is_empty() { "•••" } else { cell }
        });
        shown.collect::<Vec<_>>().join(",")
    }

    fn name(&self, place: usize) -> &str {
        self.names.get(place).map_or("", String::as_str)
    }

    /// Everything else on the line.
    pub fn read(
        &self,
        number: u64,
        line_id: String,
        record: &csv::StringRecord,
    ) -> Result<LedgerLine, Fault> {
        if record.len() != self.names.len() {
            let found = format!("{} / {}", record.len(), self.names.len());
            return Err(Fault::quoting("", RejectCode::ColumnCount, &found));
        }
        let kind = self.kind(record)?;
        let currency = self.currency(record)?;
        let moved = self.moved(record, kind, currency)?;
        let Told { at, day } = self.time(record)?;
        let status = self.status(record)?;
        let fee =
            self.further(record, AmountField::Fee, currency)?.map(|fee| match self.mapping.line.fee_means {
                FeeMeans::Cost => fee,
                FeeMeans::Balance => -fee,
            });
        let net = match self.further(record, AmountField::Net, currency)? {
            Some(net) if moved.direction == Direction::Out => Some(-net.abs()),
            Some(net) => Some(net),
            None => Some(signed(&moved) - fee.unwrap_or(0)),
        };
        let text = |field| self.text(record, self.places.fields.get(&field).copied());
        let slug = |field, word, of_all| self.slug(record, field, word, of_all);
        Ok(LedgerLine {
            line_id,
            posted_at: at,
            source_day: Some(day),
            store: self.context.store,
            account: self.text(record, self.places.account)?.unwrap_or_else(|| self.mapping.account.clone()),
            provider: slug(LineField::Provider, SlugField::Provider, self.mapping.provider.as_deref())?,
            status,
            completed_at: (status == Status::Succeeded).then_some(at),
            updated_at: Some(at),
            operator: text(LineField::Operator)?,
            terminal: text(LineField::Terminal)?,
            scene: None,
            list_amount: self.further(record, AmountField::ListAmount, currency)?,
            discount_merchant: self.further(record, AmountField::DiscountMerchant, currency)?,
            discount_platform: self.further(record, AmountField::DiscountPlatform, currency)?,
            category: text(LineField::Category)?,
            attributes: self.attributes(record)?,
            kind,
            direction: moved.direction,
            currency,
            gross: moved.gross,
            fee,
            net,
            fee_rate: text(LineField::FeeRate)?,
            settle_currency: None,
            settle_amount: None,
            exchange_rate: None,
            provider_transaction_id: text(LineField::ProviderTransactionId)?,
            parent_transaction_id: text(LineField::ParentTransactionId)?,
            order_id: text(LineField::OrderId)?,
            payout_id: text(LineField::PayoutId)?,
            method: slug(LineField::Method, SlugField::Method, self.mapping.method.as_deref())?,
            method_detail: MethodDetail::default(),
            customer: self.customer(record)?,
            description: text(LineField::Description)?,
            file: Some(self.context.file.to_owned()),
            line_number: i64::try_from(number).ok(),
            test: false,
        })
    }

    fn kind(&self, record: &csv::StringRecord) -> Result<LedgerKind, Fault> {
        let mut rules = self.mapping.kind.iter().zip(&self.places.kinds);
        let found = rules.find(|(rule, place)| match (&rule.when, place) {
            (Some(when), Some(place)) => when.holds(cell(record, *place)),
            _ => true,
        });
        let Some((rule, place)) = found else {
            let place = self.places.kinds.iter().copied().flatten().next().unwrap_or_default();
            return Err(Fault::quoting(self.name(place), RejectCode::UnknownKind, cell(record, place)));
        };
        rule.kind().ok_or_else(|| {
            let reason = rule.reject.as_deref().unwrap_or_default();
            Fault::quoting(place.map_or("", |place| self.name(place)), RejectCode::RejectedByMapping, reason)
        })
    }

    fn currency(&self, record: &csv::StringRecord) -> Result<Currency, Fault> {
        let Some(place) = self.places.currency else { return Ok(self.mapping.currency) };
        match cell(record, place) {
            "" => Ok(self.mapping.currency),
            "人民币" | "RMB" | "￥" | "¥" => Ok(Currency::CNY),
            text => Currency::parse(&text.to_uppercase())
                .map_err(|_| Fault::quoting(self.name(place), RejectCode::UnknownCurrency, text)),
        }
    }

    fn amount(&self, record: &csv::StringRecord, place: usize) -> Result<Option<Decimal>, Fault> {
        amount(self.name(place), cell(record, place))
    }

    fn moved(
        &self,
        record: &csv::StringRecord,
        kind: LedgerKind,
        currency: Currency,
    ) -> Result<Moved, Fault> {
        let place = self.places.amount;
        let missing = || Fault::new(self.name(place), RejectCode::Missing);
        let first = self.amount(record, place)?;
        let (direction, value, unit) = match &self.mapping.amount {
            Movement::Column { unit, sign, .. } => {
                let value = first.ok_or_else(missing)?;
                let is_out = match sign {
                    SignMeans::NegativeIsOut => is_negative(value),
                    SignMeans::PositiveIsOut => !is_negative(value),
                    SignMeans::ByKind => kind != LedgerKind::Payment,
                };
                (if is_out { Direction::Out } else { Direction::In }, value, unit)
            }
            Movement::Directed { unit, r#in, out, .. } => {
                let place = self.places.other.ok_or_else(missing)?;
                let word = cell(record, place);
                let has = |words: &[String]| words.iter().any(|own| own == word || own == "*");
                let direction = match (has(r#in), has(out)) {
                    (true, _) => Direction::In,
                    (_, true) => Direction::Out,
                    _ => return Err(Fault::quoting(self.name(place), RejectCode::UnknownKind, word)),
                };
                (direction, first.ok_or_else(missing)?, unit)
            }
            Movement::TwoColumns { unit, .. } => {
                let gone = self.amount(record, self.places.other.ok_or_else(missing)?)?;
                match (first.filter(|value| !value.is_zero()), gone.filter(|value| !value.is_zero())) {
                    // A bank takes a movement back by printing it with a minus where it stood.
                    (Some(came), None) if is_negative(came) => (Direction::Out, came, unit),
                    (Some(came), None) => (Direction::In, came, unit),
                    (None, Some(gone)) if is_negative(gone) => (Direction::In, gone, unit),
                    (None, Some(gone)) => (Direction::Out, gone, unit),
                    (None, None) if first.or(gone).is_some() => (Direction::In, Decimal::ZERO, unit),
                    (None, None) => return Err(missing()),
                    (Some(_), Some(_)) => return Err(Fault::new(self.name(place), RejectCode::UnknownKind)),
                }
            }
        };
        let value = if *unit == Unit::Minor { major_of(value, currency) } else { value };
        let gross = minor(self.name(place), value.abs(), currency)?;
        Ok(Moved { direction, gross })
    }

    fn further(
        &self,
        record: &csv::StringRecord,
        field: AmountField,
        currency: Currency,
    ) -> Result<Option<i64>, Fault> {
        let Some(place) = self.places.amounts.get(&field).copied() else { return Ok(None) };
        self.amount(record, place)?.map(|value| minor(self.name(place), value, currency)).transpose()
    }

    fn time(&self, record: &csv::StringRecord) -> Result<Told, Fault> {
        let place = self.places.posted_at;
        let text = joined(cell(record, place), self.places.time.map(|time| cell(record, time)));
        let formats = &self.mapping.line.posted_at.formats;
        let clockwork = Clockwork { formats, zone: self.mapping.zone, now: self.context.now };
        clockwork.read(self.name(place), &text)
    }

    fn status(&self, record: &csv::StringRecord) -> Result<Status, Fault> {
        let Some((of, place)) = self.mapping.line.status.as_ref().zip(self.places.status) else {
            return Ok(Status::Succeeded);
        };
        let text = cell(record, place);
        let known = of.values.get(text).or_else(|| of.values.get("*")).copied();
        let fits =
            known.filter(|status| matches!(status, Status::Pending | Status::Succeeded | Status::Failed));
        fits.ok_or_else(|| Fault::quoting(self.name(place), RejectCode::UnknownStatus, text))
    }

    fn text(&self, record: &csv::StringRecord, place: Option<usize>) -> Result<Option<String>, Fault> {
        let Some(place) = place else { return Ok(None) };
        let text = cell(record, place);
        if holds_card_number(text) {
            return Err(Fault::new(self.name(place), RejectCode::CardNumber));
        }
        Ok((!text.is_empty()).then(|| text.chars().take(ID_CHARS_MAX).collect()))
    }

    fn slug(
        &self,
        record: &csv::StringRecord,
        field: LineField,
        word: SlugField,
        of_all: Option<&str>,
    ) -> Result<Option<Word>, Fault> {
        let place = self.places.fields.get(&field).copied();
        let Some(text) = self.text(record, place)? else {
            return Ok(of_all.and_then(slug_of));
        };
        let slug = word_of(&self.mapping.line.words, word, &text).and_then(|slug| slug_of(&slug));
        let field = place.map_or("", |place| self.name(place));
        slug.map(Some).ok_or_else(|| Fault::quoting(field, RejectCode::NotASlug, &text))
    }

    fn customer(&self, record: &csv::StringRecord) -> Result<Option<String>, Fault> {
        let Some((of, place)) = self.mapping.line.customer.as_ref().zip(self.places.customer) else {
            return Ok(None);
        };
        let raw = cell(record, place);
        if holds_card_number(raw) {
            return Err(Fault::new(self.name(place), RejectCode::CardNumber));
        }
        let raw = raw.strip_suffix(of.without_suffix.as_deref().unwrap_or_default()).unwrap_or(raw);
        Ok((!raw.is_empty()).then(|| self.context.pseudonyms.of("customer", "", raw)))
    }

    fn attributes(&self, record: &csv::StringRecord) -> Result<Vec<(String, String)>, Fault> {
        let mut pairs = Vec::with_capacity(self.places.attributes.len());
        for (key, place) in &self.places.attributes {
            if let Some(text) = self.text(record, Some(*place))? {
                pairs.push((key.clone(), text.chars().take(NAME_CHARS_MAX).collect()));
            }
        }
        Ok(pairs)
    }
}

fn is_negative(value: Decimal) -> bool {
    value.is_sign_negative() && !value.is_zero()
}

const fn signed(moved: &Moved) -> i64 {
    match moved.direction {
        Direction::In => moved.gross,
        Direction::Out => -moved.gross,
    }
}
