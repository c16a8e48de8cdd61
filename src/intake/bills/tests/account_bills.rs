//! Bills of account movements: what restates the trade bill is a witness, the rest is a row.

use super::*;

/// Rows with whether each is a witness.
fn movements(bytes: &[u8]) -> Result<(Examined, Vec<(bool, LedgerLine)>), Refusal> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    let hints = FileHints { account: Some("1900000109".into()), zone: None };
    let (examined, lines) = lines_of(file.path(), &hints)?;
    let rows = lines.into_iter().filter_map(|line| match line {
        Line::Row(row) => Some((false, *row)),
        Line::Witness(row) => Some((true, *row)),
        Line::Rejected(line) => panic!("{line:?}"),
        Line::Transaction(_) | Line::NotData(_) => None,
    });
    Ok((examined, rows.collect()))
}

fn flow() -> String {
    text_of("synthetic_v3_fundflow_BASIC.csv")
}

fn account_bill() -> String {
    let bytes = std::fs::read(fixture("synthetic_signcustomer_detail.gbk.csv")).unwrap();
    encoding_rs::GB18030.decode(&bytes).0.into_owned()
}

/// Kind, direction, gross, fee, net and whether it is a witness.
type Told = (LedgerKind, Direction, i64, Option<i64>, Option<i64>, bool);

fn told(rows: &[(bool, LedgerLine)]) -> Vec<Told> {
    rows.iter().map(|(seen, row)| (row.kind, row.direction, row.gross, row.fee, row.net, *seen)).collect()
}

#[test]
fn a_fund_flow_bill_of_wechat_pay_tells_payments_twice_and_withdrawals_once() {
    use Direction::{In, Out};
    let (examined, rows) = movements(flow().as_bytes()).unwrap();
    assert_eq!((examined.lines.accepted, examined.lines.witnesses), (4, 3));
    assert_eq!(
        told(&rows),
        [
            (LedgerKind::Payment, In, 12_800, None, Some(12_800), true),
            (LedgerKind::Fee, Out, 77, None, Some(-77), true),
            (LedgerKind::Refund, Out, 2_800, Some(-17), Some(-2_783), true),
            (LedgerKind::Payout, Out, 100_000, None, Some(-100_000), false),
        ]
    );
    assert!(rows.iter().all(|(_, row)| row.account == "1900000109"));
    assert_eq!(rows[3].1.payout_id.as_deref(), Some("1900000109W0001"));
    let printed: Vec<_> = examined.about.controls.iter().map(|total| total.printed.as_str()).collect();
    assert_eq!(printed, ["4", "1", "128", "3", "1028.6"]);
}

#[test]
fn trap_full_width_brackets_and_counts_with_a_decimal_in_fund_flow_bills() {
    let plain = movements(flow().as_bytes()).unwrap().1;
    let old =
        flow().replace('(', "（").replace(')', "）").replace("`4,`1,`128.00,`3,", "`4.0,`1.0,`128.00,`3.0,");
    assert_eq!(movements(old.as_bytes()).unwrap().1, plain);
    let joined = format!("{}\n{}", flow().trim_end(), flow());
    assert_eq!(movements(joined.as_bytes()).unwrap().1.len(), 8, "each section has its own summary");
}

#[test]
fn trap_one_flow_number_serves_for_payment_fee_and_refunds() {
    let same = flow()
        .replace("1900000109202611200000000002", "1900000109202611200000000001")
        .replace("1900000109202611200000000003", "1900000109202611200000000001");
    let rows = movements(same.as_bytes()).unwrap().1;
    let ids: std::collections::BTreeSet<_> = rows.iter().map(|(_, row)| row.line_id.clone()).collect();
    assert_eq!(ids.len(), 4);
}

#[test]
fn other_business_of_the_fund_flow_bill_is_no_sale() {
    for (business, kind, purpose) in [
        ("分账", LedgerKind::Transfer, Some("profit_sharing")),
        ("充值", LedgerKind::Transfer, Some("top_up")),
        ("商家转账到零钱", LedgerKind::Transfer, None),
        ("提现手续费", LedgerKind::Fee, None),
        ("尚不认识的业务", LedgerKind::Adjustment, None),
    ] {
        let text = flow().replace("`提现,`提现,`支出", &format!("`提现,`{business},`支出"));
        let (witness, row) = movements(text.as_bytes()).unwrap().1.pop().unwrap();
        assert_eq!((witness, row.kind, row.net), (false, kind, Some(-100_000)), "{business}");
        let kept = row.attributes.iter().find(|(key, _)| key == "purpose").map(|(_, value)| value.as_str());
        assert_eq!(kept, purpose, "{business}");
    }
}

#[test]
fn a_refund_whose_remark_does_not_add_up_says_only_what_moved() {
    let text = flow().replace("退款总金额28.00元;含手续费0.17元", "退款总金额28.00元;含手续费0.18元");
    let row = &movements(text.as_bytes()).unwrap().1[2].1;
    assert_eq!((row.gross, row.fee, row.net), (2_783, None, Some(-2_783)));
}

#[test]
fn a_fund_flow_bill_that_does_not_add_up_is_refused() {
    let code = |text: String| movements(text.as_bytes()).unwrap_err().code();
    assert_eq!(code(flow().replace("`支出,`0.77", "`支出,`0.78")), "totals_differ");
    assert_eq!(code(flow().replace("`4,`1,", "`5,`1,")), "totals_differ");
    assert_eq!(code(flow().replace("`支出,`0.77", "`收入,`0.77")), "totals_differ");
    let cut = flow();
    assert_eq!(code(cut[..cut.find("资金流水总笔数").unwrap()].to_owned()), "summary_missing");
    assert_eq!(code(flow().replace("1900000109202611200000000004", "1.9E+27")), "excel_damaged");
}

#[test]
fn an_account_bill_of_alipay_tells_payments_twice_and_withdrawals_once() {
    use Direction::{In, Out};
    let (examined, rows) = movements(account_bill().as_bytes()).unwrap();
    assert_eq!((examined.about.variant.as_str(), examined.lines.witnesses), ("account", 4));
    assert_eq!(
        told(&rows),
        [
            (LedgerKind::Payment, In, 12_800, None, Some(12_800), true),
            (LedgerKind::Fee, Out, 77, None, Some(-77), true),
            (LedgerKind::Refund, Out, 2_800, None, Some(-2_800), true),
            (LedgerKind::Fee, In, 17, None, Some(17), true),
            (LedgerKind::Payout, Out, 100_000, None, Some(-100_000), false),
        ]
    );
    assert!(rows.iter().all(|(_, row)| row.account == "2088000000000001" && row.customer.is_none()));
    let packed = read(&fixture("synthetic_signcustomer_20261120.csv.zip")).unwrap().1;
    assert_eq!(packed.len(), 5, "the archive's summary is not what is read");
}

#[test]
fn trap_expenses_with_and_without_a_minus_in_account_bills() {
    let signed = movements(account_bill().as_bytes()).unwrap().1;
    let plain = account_bill()
        .replace(",-0.77,", ",0.77,")
        .replace(",-28.00,", ",28.00,")
        .replace(",-1000.00,", ",1000.00,");
    assert_eq!(movements(plain.as_bytes()).unwrap().1, signed);
    let minus = account_bill().replace("共1028.77元", "共-1028.77元");
    assert_eq!(movements(minus.as_bytes()).unwrap().1, signed);
}

#[test]
fn newer_account_bills_have_more_columns_in_another_order() {
    let text = account_bill();
    let mut newer = String::new();
    for line in text.lines() {
        let cells: Vec<&str> = line.split(',').collect();
        if cells.len() == 12 {
            let mut moved: Vec<&str> = cells.iter().rev().copied().collect();
            let is_header = cells[0].starts_with("账务流水号");
            moved.insert(3, if is_header { "业务描述" } else { "x" });
            moved.push(if is_header { "业务账单来源" } else { "" });
            moved.push(if is_header { "网商店铺" } else { "" });
            newer.push_str(&moved.join(","));
        } else {
            newer.push_str(line);
        }
        newer.push('\n');
    }
    let (examined, rows) = movements(newer.as_bytes()).unwrap();
    assert_eq!(told(&rows), told(&movements(text.as_bytes()).unwrap().1));
    assert_eq!(examined.about.unread_columns, ["网商店铺"]);
}

#[test]
fn an_account_bill_that_does_not_add_up_is_refused() {
    let code = |text: String| movements(text.as_bytes()).unwrap_err().code();
    assert_eq!(code(account_bill().replace("3笔", "4笔")), "totals_differ");
    assert_eq!(code(account_bill().replace("共128.17元", "共128.16元")), "totals_differ");
    let cut: Vec<String> = account_bill().lines().take(8).map(str::to_owned).collect();
    assert_eq!(code(cut.join("\n")), "summary_missing");
}
