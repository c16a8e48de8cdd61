use std::borrow::Cow;

use rust_decimal::Decimal;
use serde_json::value::RawValue;

use super::fields::{amount, decimal, missing, signed_amount, text};
use super::row_error::{Code, Fault};
use super::wire::{Objects, Text, object};
use super::{ITEMS_MAX, LABEL_CHARS_MAX, NAME_CHARS_MAX};
use crate::domain::{AMOUNT_MINOR_MAX, Currency, Item, decimal_to_minor};

/// Largest quantity of one line, either way.
const QUANTITY_MAX: i64 = 1_000_000_000;

object! {
    /// A line of a basket, as it is sent.
    WireItem<'a> {
        sku: Text<'a>, name: Text<'a>, category: Text<'a>, quantity: &'a RawValue, unit_amount: &'a RawValue,
        discount: i64, line_amount: i64,
    }
}

pub(in crate::intake) type WireItems<'a> = Objects<WireItem<'a>, ITEMS_MAX>;

/// The lines of a basket in this currency.
pub(super) fn items<'a, T: From<Cow<'a, str>>>(
    lines: Option<WireItems<'a>>,
    currency: Currency,
) -> Result<Vec<Item<T>>, Fault> {
    let Some(Objects(lines)) = lines else { return Ok(Vec::new()) };
    let mut items = Vec::with_capacity(lines.len());
    for (place, line) in lines.into_iter().enumerate() {
        items.push(item(line, currency).map_err(|fault| fault.within("items", place))?);
    }
    Ok(items)
}

fn item<'a, T: From<Cow<'a, str>>>(line: WireItem<'a>, currency: Currency) -> Result<Item<T>, Fault> {
    let quantity = decimal("quantity", line.quantity)?.unwrap_or(Decimal::ONE);
    if quantity.abs() > Decimal::from(QUANTITY_MAX) {
        let message = format!("must be between -{QUANTITY_MAX} and {QUANTITY_MAX}");
        return Err(Fault::new("quantity", Code::OutOfRange, message));
    }
    let unit_amount = decimal("unit_amount", line.unit_amount)?;
    let discount = amount("discount", line.discount)?;
    let line_amount = match (signed_amount("line_amount", line.line_amount)?, unit_amount) {
        (Some(given), _) => given,
        (None, Some(unit)) => computed(quantity, unit, discount, currency)?,
        (None, None) => return Err(missing("line_amount")),
    };
    Ok(Item {
        sku: text("sku", line.sku, LABEL_CHARS_MAX)?,
        name: text("name", line.name, NAME_CHARS_MAX)?,
        category: text("category", line.category, LABEL_CHARS_MAX)?,
        quantity,
        unit_amount,
        discount,
        line_amount,
    })
}

/// `quantity × unit − discount` in minor units, the product rounded half away from zero.
fn computed(
    quantity: Decimal,
    unit: Decimal,
    discount: Option<i64>,
    currency: Currency,
) -> Result<i64, Fault> {
    let out_of_range = || {
        let message = format!("quantity × unit_amount − discount is beyond ±{AMOUNT_MINOR_MAX}");
        Fault::new("line_amount", Code::OutOfRange, message)
    };
    let product = quantity.checked_mul(unit).ok_or_else(out_of_range)?;
    let gross = decimal_to_minor(product, currency).map_err(|_| out_of_range())?;
    // Both are within ±10¹⁵, so the difference fits.
    signed_amount("line_amount", Some(gross - discount.unwrap_or(0)))
        .map_err(|_| out_of_range())?
        .ok_or_else(out_of_range)
}
