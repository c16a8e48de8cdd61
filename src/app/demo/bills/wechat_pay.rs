use std::fmt::Write as _;

use chrono::NaiveDate;

use super::{BillRow, yuan};
use crate::domain::Scene;

const HEADER: &str = "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,\
付款银行,货币种类,应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,\
商户数据包,手续费,费率,订单金额,申请退款金额,费率备注";
const SUMMARY: &str =
    "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额";
const APP_ID: &str = "wx5demo0tillwatch";

/// A trade bill of family ALL: a backtick before every cell, no quotes, a summary at the end.
pub fn bill(account: &str, day: NaiveDate, rows: &[BillRow]) -> (String, Vec<u8>) {
    let mut text = String::with_capacity(300 * (rows.len() + 3));
    text.push_str(HEADER);
    text.push('\n');
    for row in rows {
        push_row(&mut text, account, row);
    }
    let sum = |refunds: bool| -> i64 {
        rows.iter().filter(|row| row.refund.is_some() == refunds).map(|row| row.amount).sum()
    };
    let fees: i64 = rows.iter().map(|row| row.fee).sum();
    let (paid, refunded) = (yuan(sum(false)), yuan(sum(true)));
    text.push_str(SUMMARY);
    text.push('\n');
    push_cells(
        &mut text,
        &[&rows.len().to_string(), &paid, &refunded, "0.00", &five(fees), &paid, &refunded],
    );
    (format!("{account}All{day}_{day}.csv"), text.into_bytes())
}

fn push_row(text: &mut String, account: &str, row: &BillRow) {
    let amount = yuan(row.amount);
    let (paid, refunded) =
        if row.refund.is_some() { ("0.00", amount.as_str()) } else { (amount.as_str(), "0.00") };
    let (refund_id, own_refund_id, kind, state) = match &row.refund {
        Some((theirs, ours)) => (theirs.as_str(), ours.as_str(), "ORIGINAL", "SUCCESS"),
        None => ("0", "0", "", ""),
    };
    let rate = format!("{}.{:02}%", row.per_million / 10_000, row.per_million % 10_000 / 100);
    push_cells(
        text,
        &[
            &row.completed.format("%Y-%m-%d %H:%M:%S").to_string(),
            APP_ID,
            account,
            "0",
            &row.terminal,
            &row.provider_id,
            &row.order_id,
            &row.customer,
            trade_type(row.scene),
            if row.refund.is_some() { "REFUND" } else { "SUCCESS" },
            if row.bank.is_empty() { "OTHERS" } else { &row.bank },
            "CNY",
            paid,
            "0.00",
            refund_id,
            own_refund_id,
            refunded,
            "0.00",
            kind,
            state,
            // A comma inside would be written as backslash and space.
            &row.title.replace(',', "\\ "),
            "",
            &five(row.fee),
            &rate,
            paid,
            refunded,
            "",
        ],
    );
}

fn push_cells(text: &mut String, cells: &[&str]) {
    for (index, cell) in cells.iter().enumerate() {
        let separator = if index == 0 { "" } else { "," };
        // Writing to a string cannot fail.
        let _ = write!(text, "{separator}`{cell}");
    }
    text.push('\n');
}

/// Fees are rounded to the fen and printed with five decimals.
fn five(fen: i64) -> String {
    format!("{}000", yuan(fen))
}

const fn trade_type(scene: Scene) -> &'static str {
    match scene {
        Scene::Scanner => "MICROPAY",
        Scene::Face => "FACEPAY",
        Scene::App => "APP",
        Scene::H5 => "MWEB",
        Scene::Web => "NATIVE",
        _ => "JSAPI",
    }
}
