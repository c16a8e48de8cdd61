use std::collections::BTreeMap;

use super::super::bills::Refusal;
use super::config::{Amount, Mapping, TextField};

/// Where the columns that a mapping names stand in this file.
pub struct Places {
    pub names: Vec<String>,
    pub id: usize,
    pub created_at: usize,
    pub customer: Option<usize>,
    pub attributes: Vec<(String, usize)>,
    pub fields: BTreeMap<TextField, usize>,
    pub status: Option<usize>,
    pub fee: Option<usize>,
    pub amount: Option<usize>,
    pub sku: Option<usize>,
    pub item_name: Option<usize>,
    pub quantity: Option<usize>,
    pub unit_amount: Option<usize>,
    /// One per kind rule.
    pub conditions: Vec<usize>,
}

impl Places {
    /// Looks every named column up in the header.
    ///
    /// # Errors
    /// [`Refusal::ColumnMissing`], [`Refusal::ColumnTwice`].
    pub fn of(header: &csv::StringRecord, mapping: &Mapping) -> Result<Self, Refusal> {
        let names: Vec<String> = header
            .iter()
            .map(|name| name.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}').to_owned())
            .collect();
        let find = |wanted: &String| -> Result<usize, Refusal> {
            let mut found = names.iter().enumerate().filter(|(_, name)| *name == wanted);
            let first = found.next().ok_or_else(|| Refusal::ColumnMissing(wanted.clone()))?;
            if found.next().is_some() {
                return Err(Refusal::ColumnTwice(wanted.clone()));
            }
            Ok(first.0)
        };
        let maybe = |wanted: Option<&String>| wanted.map(find).transpose();
        let of = &mapping.transaction;
        let items = mapping.items.as_ref();
        let amount = match &mapping.amount {
            Amount::Items => None,
            Amount::Column { column, .. } => Some(find(column)?),
        };
        let attributes = of.attributes.iter().map(|(key, column)| Ok((key.clone(), find(column)?)));
        let fields = of.fields.iter().map(|(field, column)| Ok((*field, find(column)?)));
        Ok(Self {
            id: find(&of.id)?,
            created_at: find(&of.created_at.column)?,
            customer: maybe(of.customer.as_ref().map(|customer| &customer.column))?,
            attributes: attributes.collect::<Result<_, Refusal>>()?,
            fields: fields.collect::<Result<_, Refusal>>()?,
            status: maybe(of.status.as_ref().map(|status| &status.column))?,
            fee: maybe(of.fee.as_ref())?,
            amount,
            sku: maybe(items.and_then(|items| items.sku.as_ref()))?,
            item_name: maybe(items.and_then(|items| items.name.as_ref()))?,
            quantity: maybe(items.map(|items| &items.quantity))?,
            unit_amount: maybe(items.map(|items| &items.unit_amount))?,
            conditions: mapping.kind.iter().map(|rule| find(&rule.when.column)).collect::<Result<_, _>>()?,
            names,
        })
    }

    /// The name of a column.
    pub fn name(&self, place: usize) -> &str {
        self.names.get(place).map_or("", String::as_str)
    }
}
