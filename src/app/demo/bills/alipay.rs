use std::fmt::Write as _;

use chrono::{Days, NaiveDate};

use super::super::shops::Shop;
use super::archive::zipped;
use super::{BillRow, yuan};

const DETAIL_HEADER: &str = "支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,对方账户,\
订单金额（元）,商家实收（元）,支付宝红包（元）,集分宝（元）,支付宝优惠（元）,商家优惠（元）,券核销金额（元）,券名称,\
商家红包消费金额（元）,卡消费金额（元）,退款批次号/请求号,服务费（元）,分润（元）,备注";
const SUMMARY_HEADER: &str = "门店编号,门店名称,交易订单总笔数,退款订单总笔数,订单金额（元）,商家实收（元）,支付宝优惠（元）,\
商家优惠（元）,卡消费金额（元）,服务费（元）,分润（元）,实收净额（元）";

/// A trade bill: a zip of summary and detail, names and content in GBK, ids that end in a tab.
pub fn bill(account: &str, shop: &Shop, day: NaiveDate, rows: &[BillRow]) -> (String, Vec<u8>) {
    let stem = format!("{account}0156_{}", day.format("%Y%m%d"));
    let entries = [
        (format!("{stem}_业务明细(汇总).csv"), summary(account, shop, day, rows)),
        (format!("{stem}_业务明细.csv"), detail(account, shop, day, rows)),
    ];
    (format!("{stem}.csv.zip"), zipped(&entries, day))
}

fn head(text: &mut String, what: &str, account: &str, day: NaiveDate) {
    let after = day + Days::new(1);
    let _ = write!(
        text,
        "#支付宝业务{what}查询\n#账号：[{account}0156]\n#起始日期：[{} 00:00:00]   终止日期：[{} 00:00:00]\n\
         #-----------------------------------------业务{what}列表----------------------------------------\n",
        day.format("%Y年%m月%d日"),
        after.format("%Y年%m月%d日"),
    );
}

fn foot(text: &mut String, what: &str) {
    let _ = writeln!(
        text,
        "#-----------------------------------------业务{what}列表结束------------------------------------"
    );
}

fn exported(text: &mut String, day: NaiveDate) {
    let _ = writeln!(text, "#导出时间：[{} 09:12:40]", (day + Days::new(1)).format("%Y年%m月%d日"));
}

fn detail(account: &str, shop: &Shop, day: NaiveDate, rows: &[BillRow]) -> String {
    let mut text = String::with_capacity(260 * (rows.len() + 8));
    head(&mut text, "明细", account, day);
    text.push_str(DETAIL_HEADER);
    text.push('\n');
    for row in rows {
        push_row(&mut text, shop, row);
    }
    foot(&mut text, "明细");
    let of = |refunds: bool| rows.iter().filter(move |row| row.refund.is_some() == refunds);
    let sum = |refunds: bool| of(refunds).map(|row| row.amount).sum::<i64>();
    let _ = writeln!(
        text,
        "#交易合计：{}笔，商家实收共{}元，商家优惠共0.00元",
        of(false).count(),
        yuan(sum(false))
    );
    let _ = writeln!(
        text,
        "#退款合计：{}笔，商家实收退款共{}元，商家优惠退款共0.00元",
        of(true).count(),
        yuan(-sum(true))
    );
    exported(&mut text, day);
    text
}

fn push_row(text: &mut String, shop: &Shop, row: &BillRow) {
    let time = |at: chrono::NaiveDateTime| at.format("%Y-%m-%d %H:%M:%S").to_string();
    let (kind, amount, request) = match &row.refund {
        Some((_, ours)) => ("退款", yuan(-row.amount), ours.as_str()),
        None => ("交易", yuan(row.amount), ""),
    };
    // Other accounts come masked, and a masked name is nobody's identity.
    let tail = row.customer.get(row.customer.len().saturating_sub(2)..).unwrap_or_default();
    let _ = writeln!(
        text,
        "{}\t,{}\t,{kind}\t,{},{},{},{}\t,{}\t,{}\t,{}\t,*某(139****00{tail})\t,{amount},{amount},0.00,0.00,\
         0.00,0.00,0.00,,0.00\t,0.00,{request}\t,{},0.00,{}",
        row.provider_id,
        row.order_id,
        row.title.replace(',', "，"),
        time(row.created),
        time(row.completed),
        shop.code,
        shop.name,
        row.operator,
        row.terminal,
        yuan(-row.fee),
        if row.refund.is_some() { "退款" } else { "" },
    );
}

fn summary(account: &str, shop: &Shop, day: NaiveDate, rows: &[BillRow]) -> String {
    let mut text = String::new();
    head(&mut text, "汇总", account, day);
    text.push_str(SUMMARY_HEADER);
    text.push('\n');
    let refunds = rows.iter().filter(|row| row.refund.is_some()).count();
    let amount: i64 =
        rows.iter().map(|row| if row.refund.is_some() { -row.amount } else { row.amount }).sum();
    let fees: i64 = rows.iter().map(|row| row.fee).sum();
    for (code, name) in [(shop.code, shop.name), ("合计", "")] {
        let _ = writeln!(
            text,
            "{code}\t,{name}\t,{},{refunds},{},{},0.00,0.00,0.00,{},0.00,{}",
            rows.len() - refunds,
            yuan(amount),
            yuan(amount),
            yuan(-fees),
            yuan(amount - fees)
        );
    }
    foot(&mut text, "汇总");
    exported(&mut text, day);
    text
}
