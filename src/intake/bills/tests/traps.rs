//! Traps that real bills have set for others, by their names.

use super::*;

/// Rows without the place where they were read.
fn rows(text: &str) -> Vec<LedgerLine> {
    read_bytes(text.as_bytes()).unwrap().1.into_iter().map(anywhere).collect()
}

fn anywhere(mut row: LedgerLine) -> LedgerLine {
    row.line_number = None;
    row
}

/// A summary of the new families over rows whose sums are those of the sample.
const SUMMARY: &str =
    "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额";

fn pick<'a>(cells: &[&'a str], places: &[usize]) -> Vec<&'a str> {
    places.iter().map(|place| cells[*place]).collect()
}

/// The sample's payments as bill type SUCCESS and its refunds as bill type REFUND.
fn families() -> (String, String) {
    let all = wechat();
    let lines: Vec<Vec<&str>> = all.lines().take(7).map(|line| line.split(',').collect()).collect();
    let first: Vec<usize> = (0..14).collect();
    let of_success: Vec<usize> = first.iter().copied().chain([20, 21, 22, 23, 24, 26]).collect();
    let (mut success, mut refund) = (vec![pick(&lines[0], &of_success).join(",")], Vec::new());
    let mut head = pick(&lines[0], &first);
    head.extend(["退款申请时间", "退款成功时间"]);
    head.extend(&lines[0][14..]);
    refund.push(head.join(","));
    for cells in &lines[1..] {
        if cells[9] == "`SUCCESS" {
            success.push(pick(cells, &of_success).join(","));
            continue;
        }
        let mut moved = pick(cells, &first);
        // The payment's time stands where ALL has the refund's.
        moved[0] = "`2026-11-19 08:00:00";
        moved.extend([cells[0], cells[0]]);
        moved.extend(&cells[14..]);
        refund.push(moved.join(","));
    }
    let sums = |rows: &[String], figures: &str| format!("{}\n{SUMMARY}\n{figures}\n", rows.join("\n"));
    let foot = all.lines().nth(8).unwrap().split(',').collect::<Vec<_>>();
    let refunded: Vec<LedgerLine> =
        rows(&all).into_iter().filter(|row| row.kind == LedgerKind::Refund).collect();
    let fees: i64 = refunded.iter().map(|row| row.fee.unwrap()).sum();
    let back =
        format!("`{},`0.00,{},{},`-0.{:02}000,`0.00,{}", refunded.len(), foot[2], foot[3], -fees, foot[6]);
    let paid = format!("`3,{},`0.00,`0.00,`1.31000,{},`0.00", foot[1], foot[5]);
    (sums(&success, &paid), sums(&refund, &back))
}

#[test]
fn trap_header_families() {
    let (success, refund) = families();
    let (one, other) = (read_bytes(success.as_bytes()).unwrap(), read_bytes(refund.as_bytes()).unwrap());
    assert_eq!((one.0.about.variant.as_str(), other.0.about.variant.as_str()), ("SUCCESS", "REFUND"));
    // What ALL says, both say together, to the last field: no figure depends on which of them was fetched.
    let mut together: Vec<_> = one.1.into_iter().chain(other.1).map(anywhere).collect();
    let mut all = rows(&wechat());
    together.sort_by(|a, b| a.line_id.cmp(&b.line_id));
    all.sort_by(|a, b| a.line_id.cmp(&b.line_id));
    assert_eq!(together, all);
}

#[test]
fn trap_gbk_content_and_gbk_zip_names() {
    let name = encoding_rs::GB18030.encode("业务明细.csv").0.into_owned();
    let archive = std::fs::read(fixture("synthetic_trade_20261120.csv.zip")).unwrap();
    assert!(archive.windows(name.len()).any(|bytes| bytes == name.as_slice()), "the sample has such a name");
    assert_eq!(read_bytes(&archive).unwrap().1.len(), 4);
    assert_eq!(read_bytes(&gbk(&alipay())).unwrap().0.lines.accepted, 4);
}

#[test]
fn trap_byte_order_mark() {
    let plain = rows(&wechat());
    assert_eq!(rows(&format!("\u{feff}{}", wechat())), plain);
    assert_eq!(rows(&format!("\u{feff}{}", alipay())), rows(&alipay()));
}

#[test]
fn trap_backticks_and_trailing_tabs_are_no_part_of_a_number() {
    for row in rows(&wechat()).into_iter().chain(rows(&alipay())) {
        let texts = [Some(row.line_id), row.order_id, row.parent_transaction_id, row.operator, row.terminal];
        for text in texts.into_iter().flatten() {
            assert!(!text.contains(['`', '\t', ' ']), "{text:?}");
        }
    }
}

#[test]
fn trap_quotes_inside_unquoted_cells() {
    let text = wechat().replace("`书籍", "`\"特价\"书籍, 第1册");
    let found = rows(&text);
    assert_eq!(found.len(), 6);
    assert_eq!(found[1].description.as_deref(), Some("\"特价\"书籍, 第1册"));
}

#[test]
fn trap_summaries_and_footers_are_no_data() {
    for text in [wechat(), alipay()] {
        let (examined, found, rejected) = read_bytes(text.as_bytes()).unwrap();
        assert!(examined.lines.summaries > 0 && rejected.is_empty());
        assert_eq!(examined.lines.accepted, u64::try_from(found.len()).unwrap());
    }
}

#[test]
fn trap_full_width_brackets_and_colons() {
    let half = alipay().replace('（', "(").replace('）', ")").replace('：', ":");
    assert_eq!(rows(&half), rows(&alipay()));
    let wide = wechat().replace("2026-11-20 00:00:00", "2026-11-20 00：00：00");
    assert_eq!(rows(&wide), rows(&wechat()));
}

#[test]
fn trap_refunds_are_positive_in_one_bill_and_negative_in_the_other() {
    let unsigned = alipay().replace("-28.00,-28.00", "28.00,-28.00");
    for text in [wechat(), alipay(), unsigned] {
        let found = rows(&text);
        let refund = found.iter().find(|row| row.gross == 2_800).unwrap();
        assert_eq!((refund.kind, refund.direction), (LedgerKind::Refund, Direction::Out));
        assert_eq!((refund.fee, refund.net), (Some(-17), Some(-2_783)));
    }
}

#[test]
fn trap_fee_signs_are_opposite_and_fees_have_five_decimals() {
    let (one, other) = (rows(&wechat()), rows(&alipay()));
    assert_eq!((one[0].fee, other[0].fee), (Some(77), Some(77)), "a cost is positive");
    assert_eq!((one[3].fee, other[2].fee), (Some(-17), Some(-17)), "what comes back is negative");
    let old = wechat().replace("`0.77000", "`0.77020").replace("`1.14000", "`1.14020");
    match read_bytes(old.as_bytes()) {
        Ok((_, found, _)) => assert_eq!(found[0].fee, Some(77)),
        Err(refusal) => assert_eq!(refusal.code(), "totals_differ"),
    }
}

#[test]
fn trap_a_fee_of_zero_is_rounding_not_free() {
    let found = rows(&wechat());
    assert_eq!((found[2].gross, found[2].fee, found[2].fee_rate.as_deref()), (1, Some(0), Some("0.60%")));
}

#[test]
fn trap_a_fee_may_come_back_or_not() {
    let found = rows(&alipay());
    assert_eq!((found[2].fee, found[3].fee), (Some(-17), Some(0)));
    assert_eq!((found[2].net, found[3].net), (Some(-2_783), Some(-5_000)));
}

#[test]
fn trap_a_coupon_makes_the_settled_amount_less_than_the_orders() {
    let row = &rows(&wechat())[1];
    assert_eq!((row.gross, row.discount_merchant, row.net), (10_000, Some(1_000), Some(9_000 - 54)));
}

#[test]
fn trap_refunds_of_earlier_days_stand_without_their_payment() {
    let row = rows(&alipay()).pop().unwrap();
    assert_eq!((row.kind, row.gross), (LedgerKind::Refund, 5_000));
    assert_eq!(row.source_day.unwrap().to_string(), "2026-11-20", "the refund's day, not the order's");
}

#[test]
fn trap_a_refunds_status_is_frozen_in_its_bill() {
    let found = rows(&wechat());
    let pending = found.iter().find(|row| row.status == Status::Pending).unwrap();
    assert!(pending.attributes.contains(&("refund_status".into(), "PROCESSING".into())));
    assert!(pending.completed_at.is_none());
}

#[test]
fn trap_several_refunds_of_one_payment_are_several_lines() {
    let found = rows(&wechat());
    let of_first: Vec<_> = found
        .iter()
        .filter(|row| row.parent_transaction_id.as_deref() == Some("4200000001202611200000000001"))
        .map(|row| row.line_id.clone())
        .collect();
    assert_eq!(of_first.len(), 2);
    assert_ne!(of_first[0], of_first[1]);
}

#[test]
fn trap_times_are_beijings_and_so_is_the_day() {
    for row in [&rows(&wechat())[0], &rows(&alipay())[0]] {
        assert_eq!(row.source_day.unwrap().to_string(), "2026-11-20");
    }
    let late = wechat().replace("2026-11-20 09:15:07", "2026-11-20 23:59:59");
    let row = &rows(&late)[1];
    assert_eq!(row.posted_at.to_rfc3339(), "2026-11-20T15:59:59+00:00");
    assert_eq!(row.source_day.unwrap().to_string(), "2026-11-20");
}

#[test]
fn trap_consumer_statements_are_no_bills() {
    for title in
        ["微信支付账单明细,,,", "支付宝交易记录明细查询", "京东账号名：x", "交易时间,收/支,交易对方,金额"]
    {
        let text = format!("{title}\n2026-11-20 00:00:00,支出,x,¥1.00\n");
        assert_eq!(read_bytes(text.as_bytes()).unwrap_err().code(), "consumer_statement", "{title}");
    }
}

#[test]
fn trap_formulas_and_invisible_characters_are_no_numbers() {
    for (id, code) in [("`=1+2", RejectCode::Formula), ("`42\u{7}", RejectCode::ControlCharacter)] {
        let text = wechat().replace("`4200000001202611200000000002", id);
        let (_, found, rejected) = read_bytes(text.as_bytes()).unwrap();
        assert_eq!((found.len(), rejected[0].code), (5, code), "{id}");
    }
    // In a text they do no harm here: whoever writes it into a table again takes care of it.
    let text = wechat().replace("`书籍", "`=cmd()\u{8}");
    assert_eq!(rows(&text)[1].description.as_deref(), Some("=cmd() "));
}

#[test]
fn trap_a_line_of_a_million_bytes_is_refused() {
    let text = wechat().replace("`书籍", &format!("`{}", "x".repeat(1_000_000)));
    assert_eq!(read_bytes(text.as_bytes()).unwrap_err().code(), "line_too_long");
}

#[test]
fn trap_numbers_that_excel_has_rounded() {
    let plain = wechat().replace('`', "");
    for rounded in ["4.2E+27", "4200000001202610000000000000"] {
        let text = plain.replace("4200000001202611200000000002", rounded);
        assert_eq!(read_bytes(text.as_bytes()).unwrap_err(), Refusal::ExcelDamaged(3), "{rounded}");
    }
}

#[test]
fn a_header_of_very_many_columns_is_refused_soon() {
    let wide = format!("{}{}", wechat().lines().next().unwrap(), ",x".repeat(COLUMNS));
    assert_eq!(read_bytes(wide.as_bytes()).unwrap_err(), Refusal::Unknown);
}

const COLUMNS: usize = 100_000;
