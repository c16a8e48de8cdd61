use std::collections::BTreeMap;

use super::super::bills::Refusal;
use super::config::{Amount, TextField, TransactionMapping};
use super::header::Header;

/// Where the columns that a mapping names stand in this file.
pub struct Places {
    pub names: Vec<String>,
    pub id: Vec<usize>,
    pub created_at: usize,
    pub time: Option<usize>,
    pub store: Option<usize>,
    /// One per condition of lines that are passed over.
    pub skip: Vec<usize>,
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
    pub fn of(header: &Header, mapping: &TransactionMapping) -> Result<Self, Refusal> {
        let find = |wanted: &String| header.find(wanted);
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
            id: of.id.names().iter().map(find).collect::<Result<_, _>>()?,
            created_at: find(&of.created_at.column)?,
            time: maybe(of.created_at.time_column.as_ref())?,
            store: maybe(of.store.as_ref().map(|store| &store.column))?,
            skip: mapping.skip.iter().map(|condition| find(&condition.column)).collect::<Result<_, _>>()?,
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
            names: header.names.clone(),
        })
    }

    /// The name of a column.
    pub fn name(&self, place: usize) -> &str {
        self.names.get(place).map_or("", String::as_str)
    }
}
