//! One line of a mapped file, judged alone.

use chrono::{DateTime, NaiveDateTime, TimeZone, Utc};
use rust_decimal::Decimal;

use super::super::api::{LABEL_CHARS_MAX, NAME_CHARS_MAX};
use super::super::bills::{Fault, RejectCode, decimal, id, in_range, minor};
use super::super::holds_card_number;
use super::MappingContext;
use super::columns::Places;
use super::config::{Amount, KindRule, Mapping, TextField, Unit, slug_of};
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
    pub mapping: &'a Mapping,
    pub places: &'a Places,
    pub context: &'a MappingContext<'a>,
}

impl LineReader<'_> {
    /// The transaction's id.
    pub fn id(&self, record: &csv::StringRecord) -> Result<String, Fault> {
        id(self.places.name(self.places.id), cell(record, self.places.id))
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
            let place = self.places.conditions.first().copied().unwrap_or(self.places.id);
            Fault::quoting(self.places.name(place), RejectCode::UnknownKind, cell(record, place))
        })
    }

    fn decimal(&self, record: &csv::StringRecord, place: usize) -> Result<Decimal, Fault> {
        let field = self.places.name(place);
        match cell(record, place) {
            "" => Err(Fault::new(field, RejectCode::Missing)),
            text => decimal(field, text),
        }
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
                let place = self.places.amount.unwrap_or(self.places.id);
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
        let (field, text) = (self.places.name(place), cell(record, place));
        for format in &self.mapping.transaction.created_at.formats {
            if let Ok(at) = DateTime::parse_from_str(text, format) {
                return in_range(field, text, at.with_timezone(&Utc), self.context.now);
            }
            if let Ok(local) = NaiveDateTime::parse_from_str(text, format) {
                // Clocks put back: the earlier of the two. Put forward: there is no such time.
                let at = self.mapping.zone.from_local_datetime(&local).earliest();
                let at = at.ok_or_else(|| Fault::quoting(field, RejectCode::NoSuchTime, text))?;
                return in_range(field, text, at.with_timezone(&Utc), self.context.now);
            }
        }
        Err(Fault::quoting(field, RejectCode::NotATime, text))
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
            let is_slug = matches!(field, TextField::Provider | TextField::Method);
            if is_slug && slug_of(&text).is_none() {
                return Err(Fault::quoting(self.places.name(*place), RejectCode::NotASlug, &text));
            }
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

fn major_of(minor: Decimal, currency: Currency) -> Decimal {
    minor / Decimal::from(currency.minor_per_major())
}

fn cell(record: &csv::StringRecord, place: usize) -> &str {
    record.get(place).unwrap_or_default().trim()
}
