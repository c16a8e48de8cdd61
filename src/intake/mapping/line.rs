//! One line of a mapped file, judged alone.

use rust_decimal::Decimal;

use super::super::api::{LABEL_CHARS_MAX, NAME_CHARS_MAX};
use super::super::bills::{Fault, ID_CHARS_MAX, RejectCode, is_excel_damaged, minor};
use super::super::holds_card_number;
use super::MappingContext;
use super::amounts::amount;
use super::columns::Places;
use super::config::{Amount, KindRule, SlugField, TextField, TransactionMapping, Unit, word_of};
use super::times::{Clockwork, joined};
use crate::domain::{Currency, Instant, Item, Status};

/// What a line says about its transaction.
pub struct MappedLine {
    pub rule: usize,
    pub created_at: Instant,
    /// What it adds to the amount, in major units, exact.
    pub amount: Decimal,
    pub fee: Option<Decimal>,
    pub status: Option<Status>,
    pub customer: Option<String>,
    pub attributes: Vec<(String, String)>,
    pub fields: Vec<(TextField, String)>,
    pub item: Option<Item>,
}

/// Reads the lines of one file.
pub struct LineReader<'a> {
    pub mapping: &'a TransactionMapping,
    pub places: &'a Places,
    pub context: &'a MappingContext<'a>,
}

impl LineReader<'_> {
    /// The transaction's id; `None` where the file has none.
    pub fn id(&self, record: &csv::StringRecord) -> Result<Option<String>, Fault> {
        id_of(record, &self.places.id, &self.places.names)
    }

    /// True for a line that is passed over.
    pub fn is_skipped(&self, record: &csv::StringRecord) -> bool {
        let mut conditions = self.mapping.skip.iter().zip(&self.places.skip);
        let of = self.mapping.transaction.store.as_ref().zip(self.places.store);
        conditions.any(|(condition, place)| condition.holds(cell(record, *place)))
            || of.is_some_and(|(store, place)| !store.is.iter().any(|name| name == cell(record, place)))
    }

    /// True when a number that should be an id went through a spreadsheet and lost digits.
    pub fn is_damaged(&self, record: &csv::StringRecord) -> bool {
        let ids = [
            TextField::OrderId,
            TextField::PaymentId,
            TextField::ParentTransactionId,
            TextField::ProviderTransactionId,
        ];
        let fields = ids.iter().filter_map(|field| self.places.fields.get(field));
        self.places.id.iter().chain(fields).any(|place| is_excel_damaged(cell(record, *place)))
    }

    /// Everything else on the line.
    pub fn read(&self, record: &csv::StringRecord) -> Result<MappedLine, Fault> {
        if record.len() != self.places.names.len() {
            let found = format!("{} / {}", record.len(), self.places.names.len());
            return Err(Fault::quoting("", RejectCode::ColumnCount, &found));
        }
        let (rule, of_rule) = self.rule(record)?;
        if let Some(reason) = &of_rule.reject {
            let field = self.places.name(self.places.conditions[rule]);
            return Err(Fault::quoting(field, RejectCode::RejectedByMapping, reason));
        }
        let item = self.item(record)?;
        Ok(MappedLine {
            rule,
            created_at: self.time(record)?,
            amount: self.amount(record, item.as_ref())?,
            fee: self.places.fee.map(|place| self.decimal(record, place)).transpose()?,
            status: self.status(record)?,
            customer: self.customer(record)?,
            attributes: self.attributes(record)?,
            fields: self.fields(record)?,
            item,
        })
    }

    /// The line as it stands, without its customer.
    pub fn redacted(&self, record: &csv::StringRecord) -> String {
        let shown = record.iter().enumerate().map(|(place, cell)| {
            if self.places.customer == Some(place) && !cell.is_empty() { "•••" } else { cell }
        });
        shown.collect::<Vec<_>>().join(",")
    }

    fn rule(&self, record: &csv::StringRecord) -> Result<(usize, &KindRule), Fault> {
        let conditions = self.places.conditions.iter();
        let mut rules = self.mapping.kind.iter().zip(conditions).enumerate();
        let found = rules.find(|(_, (rule, place))| rule.when.holds(cell(record, **place)));
        found.map(|(number, (rule, _))| (number, rule)).ok_or_else(|| {
            let place = self.places.conditions.first().copied().unwrap_or_default();
            Fault::quoting(self.places.name(place), RejectCode::UnknownKind, cell(record, place))
        })
    }

    fn decimal(&self, record: &csv::StringRecord, place: usize) -> Result<Decimal, Fault> {
        let field = self.places.name(place);
        amount(field, cell(record, place))?.ok_or_else(|| Fault::new(field, RejectCode::Missing))
    }

    fn text(&self, record: &csv::StringRecord, place: usize, chars: usize) -> Result<Option<String>, Fault> {
        let text = cell(record, place);
        if holds_card_number(text) {
            return Err(Fault::new(self.places.name(place), RejectCode::CardNumber));
        }
        Ok((!text.is_empty()).then(|| text.chars().take(chars).collect()))
    }

    fn item(&self, record: &csv::StringRecord) -> Result<Option<Item>, Fault> {
        let places = self.places;
        let (Some(quantity), Some(unit)) = (places.quantity, places.unit_amount) else { return Ok(None) };
        let field = places.name(unit);
        let text = |place: Option<usize>, chars| match place {
            Some(place) => self.text(record, place, chars),
            None => Ok(None),
        };
        let quantity = self.decimal(record, quantity)?;
        let unit_amount = self.decimal(record, unit)?;
        let amount = product(field, quantity, unit_amount)?;
        Ok(Some(Item {
            sku: text(places.sku, LABEL_CHARS_MAX)?,
            name: text(places.item_name, NAME_CHARS_MAX)?,
            category: None,
            quantity,
            unit_amount: Some(unit_amount),
            discount: None,
            line_amount: minor(field, amount, self.mapping.currency)?,
        }))
    }

    fn amount(&self, record: &csv::StringRecord, item: Option<&Item>) -> Result<Decimal, Fault> {
        match &self.mapping.amount {
            Amount::Items => {
                let Some(item) = item else { return Ok(Decimal::ZERO) };
                product("", item.quantity, item.unit_amount.unwrap_or_default())
            }
            Amount::Column { unit, .. } => {
                let place = self.places.amount.unwrap_or_default();
                let amount = self.decimal(record, place)?;
                Ok(match unit {
                    Unit::Major => amount,
                    Unit::Minor => major_of(amount, self.mapping.currency),
                })
            }
        }
    }

    fn time(&self, record: &csv::StringRecord) -> Result<Instant, Fault> {
        let place = self.places.created_at;
        let text = joined(cell(record, place), self.places.time.map(|time| cell(record, time)));
        let formats = &self.mapping.transaction.created_at.formats;
        let clockwork = Clockwork { formats, zone: self.mapping.zone, now: self.context.now };
        Ok(clockwork.read(self.places.name(place), &text)?.at)
    }

    fn status(&self, record: &csv::StringRecord) -> Result<Option<Status>, Fault> {
        let (Some(place), Some(of)) = (self.places.status, &self.mapping.transaction.status) else {
            return Ok(None);
        };
        let text = cell(record, place);
        let fault = || Fault::quoting(self.places.name(place), RejectCode::UnknownStatus, text);
        of.values.get(text).copied().map(Some).ok_or_else(fault)
    }

    fn customer(&self, record: &csv::StringRecord) -> Result<Option<String>, Fault> {
        let (Some(place), Some(of)) = (self.places.customer, &self.mapping.transaction.customer) else {
            return Ok(None);
        };
        let Some(raw) = self.text(record, place, 512)? else { return Ok(None) };
        let suffix = of.without_suffix.as_deref().unwrap_or_default();
        let raw = raw.strip_suffix(suffix).unwrap_or(&raw);
        Ok((!raw.is_empty()).then(|| self.context.pseudonyms.of("customer", "", raw)))
    }

    fn attributes(&self, record: &csv::StringRecord) -> Result<Vec<(String, String)>, Fault> {
        let mut pairs = Vec::with_capacity(self.places.attributes.len());
        for (key, place) in &self.places.attributes {
            if let Some(text) = self.text(record, *place, NAME_CHARS_MAX)? {
                pairs.push((key.clone(), text));
            }
        }
        Ok(pairs)
    }

    fn fields(&self, record: &csv::StringRecord) -> Result<Vec<(TextField, String)>, Fault> {
        let mut pairs = Vec::with_capacity(self.places.fields.len());
        for (field, place) in &self.places.fields {
            let Some(text) = self.text(record, *place, LABEL_CHARS_MAX)? else { continue };
            let slug = match field {
                TextField::Provider => Some(SlugField::Provider),
                TextField::Method => Some(SlugField::Method),
                _ => None,
            };
            let text = match slug {
                Some(slug) => word_of(&self.mapping.transaction.words, slug, &text)
                    .ok_or_else(|| Fault::quoting(self.places.name(*place), RejectCode::NotASlug, &text))?,
                None => text,
            };
            pairs.push((*field, text));
        }
        Ok(pairs)
    }
}

fn product(field: &str, quantity: Decimal, unit: Decimal) -> Result<Decimal, Fault> {
    // `Decimal` rounds silently where a product has more than 28 places: such factors are refused.
    let places = quantity.normalize().scale() + unit.normalize().scale();
    let product = quantity.checked_mul(unit).filter(|_| places <= 20);
    product.ok_or_else(|| Fault::new(field, RejectCode::AmountOutOfRange))
}

/// The id that these cells make together, `None` where no column is named.
pub fn id_of(
    record: &csv::StringRecord,
    places: &[usize],
    names: &[String],
) -> Result<Option<String>, Fault> {
    let Some(first) = places.first() else { return Ok(None) };
    let field = names.get(*first).map_or("", String::as_str);
    let cells: Vec<&str> = places.iter().map(|place| cell(record, *place)).collect();
    if cells.iter().all(|cell| cell.is_empty()) {
        return Err(Fault::new(field, RejectCode::Missing));
    }
    let id = cells.join("/");
    if id.chars().count() > ID_CHARS_MAX {
        return Err(Fault::quoting(field, RejectCode::TooLong, &id));
    }
    Ok(Some(id))
}

pub(super) fn major_of(minor: Decimal, currency: Currency) -> Decimal {
    minor / Decimal::from(currency.minor_per_major())
}

pub fn cell(record: &csv::StringRecord, place: usize) -> &str {
    record.get(place).unwrap_or_default().trim()
}
