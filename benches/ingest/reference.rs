//! The fixed reference: one core, serde_json into borrowed fields and Arrow IPC of the same bytes. No checks, no
//! hashes, no compression, no disk.

use std::time::{Duration, Instant};

use anyhow::Context;
use polars::io::ipc::IpcStreamWriter;
use polars::prelude::{
    CompatLevel, DataFrame, DataType, Int64Type, IntoColumn, ListBuilderTrait, ListPrimitiveChunkedBuilder,
    ListStringChunkedBuilder, NamedFrom, SerWriter, Series,
};
use serde::Deserialize;

use super::rows::Body;

#[derive(Deserialize)]
struct Row<'a> {
    transaction_id: &'a str,
    created_at: &'a str,
    status: &'a str,
    amount: i64,
    currency: &'a str,
    store: &'a str,
    provider: &'a str,
    method: &'a str,
    scene: &'a str,
    order_id: &'a str,
    provider_transaction_id: &'a str,
    completed_at: &'a str,
    fee: i64,
    #[serde(borrow)]
    items: Vec<Item<'a>>,
}

#[derive(Deserialize)]
struct Item<'a> {
    category: &'a str,
    line_amount: i64,
}

/// Rows a second on one core.
///
/// # Errors
/// Never with our own rows.
pub fn rows_per_s(bodies: &[Body], span: Duration) -> anyhow::Result<f64> {
    let (mut rows, mut bytes) = (0_usize, Vec::new());
    let begun = Instant::now();
    while begun.elapsed() < span {
        for body in bodies {
            rows += encode(&body.bytes, &mut bytes)?;
        }
    }
    Ok(rows as f64 / begun.elapsed().as_secs_f64())
}

fn encode(body: &[u8], bytes: &mut Vec<u8>) -> anyhow::Result<usize> {
    let mut rows = Vec::with_capacity(1000);
    for line in std::str::from_utf8(body)?.lines() {
        rows.push(serde_json::from_str::<Row>(line).context("a row of our own")?);
    }
    let mut frame = columns(&rows)?;
    bytes.clear();
    IpcStreamWriter::new(&mut *bytes).with_compat_level(CompatLevel::newest()).finish(&mut frame)?;
    std::hint::black_box(&bytes);
    Ok(rows.len())
}

fn columns(rows: &[Row]) -> anyhow::Result<DataFrame> {
    macro_rules! plain {
        ($($field:ident),+) => {
            [$(Series::new(stringify!($field).into(), rows.iter().map(|row| row.$field).collect::<Vec<_>>()).into_column()),+]
        };
    }
    let mut columns = Vec::from(plain!(
        transaction_id,
        created_at,
        status,
        currency,
        store,
        provider,
        method,
        scene,
        order_id,
        provider_transaction_id,
        completed_at
    ));
    columns.extend(plain!(amount, fee));
    let mut categories = ListStringChunkedBuilder::new("item_category".into(), rows.len(), rows.len());
    let mut amounts = ListPrimitiveChunkedBuilder::<Int64Type>::new(
        "item_line_amount".into(),
        rows.len(),
        rows.len(),
        DataType::Int64,
    );
    for row in rows {
        categories.append_values_iter(row.items.iter().map(|item| item.category));
        amounts.append_values_iter(row.items.iter().map(|item| item.line_amount));
    }
    columns.push(categories.finish().into_column());
    columns.push(amounts.finish().into_column());
    Ok(DataFrame::new(rows.len(), columns)?)
}
