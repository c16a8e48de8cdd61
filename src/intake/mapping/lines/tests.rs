use std::io::Write;
use std::path::Path;

use super::super::super::bills::{Opening, RejectCode};
use super::super::super::{Pseudonyms, bills::LineCounts};
use super::super::{Mapped, Mapping, MappingContext, read_mapped};
use super::*;
use crate::domain::{Direction, LedgerKind, LedgerLine, StoreId, instant_from_ms};

/// 2026-11-25T00:00:00Z.
const NOW_MS: i64 = 1_795_564_800_000;

type Outcome = Result<(LineCounts, Vec<LedgerLine>, Vec<RejectedLine>), Refusal>;

fn read_bytes(bytes: &[u8], mapping: &str) -> Outcome {
    let mapping = Mapping::parse(mapping)?;
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let pseudonyms = Pseudonyms::new([7; 32]);
    let now = instant_from_ms(NOW_MS);
    let context = MappingContext { store: StoreId(1), now, file: "f", pseudonyms: &pseudonyms };
    let fits = |head: &[String]| mapping.fits(head);
    let (mut rows, mut rejected) = (Vec::new(), Vec::new());
    let opening = Opening { fits: Some(&fits), ..Opening::default() };
    let counts = Spool::open(file.path(), scratch.path(), opening).and_then(|spool| {
        read_mapped(&spool, &mapping, &context, |mapped, _| {
            match mapped {
                Mapped::Line(row) => rows.push(*row),
                Mapped::Rejected(line) => rejected.push(line),
                Mapped::Transaction(row) => panic!("{row:?}"),
            }
            Ok(())
        })
    });
    match counts {
        Ok(counts) => Ok((counts, rows, rejected)),
        Err(SpoolError::Refused(refusal)) => Err(refusal),
        Err(SpoolError::Io(error)) => panic!("{error}"),
    }
}

fn read(text: &str, mapping: &str) -> (LineCounts, Vec<LedgerLine>, Vec<RejectedLine>) {
    read_bytes(text.as_bytes(), mapping).unwrap()
}

/// A bank's export as it is downloaded: words above the table, debit and credit, a sum below.
const BANK: &str = "中国某某银行账户明细,,,,,,\n账号：6225000000000000,,户名：某某商贸,,,,\n\n\
    交易日期,交易时间,借方发生额（元）,贷方发生额（元）,余额,对方户名,摘要\n\
    20261120,09:15:00,,\"￥1,280.50\",\"11,280.50\",支付宝（中国）,提现到账\n\
    20261120,10:00:00,１２．００,,\"11,268.50\",某某银行,手续费\n\
    20261121,00:00:00,（5.00）,,\"11,273.50\",某某银行,冲正\n\
    20261121,08:00:00,100.00,0.00,\"11,173.50\",房东,房租\n\
    合计,,112.00,\"1,280.50\",,,\n本明细仅供参考\n";

const BANK_MAPPING: &str = r#"
name = "某某银行"
makes = "ledger_lines"
zone = "Asia/Shanghai"
currency = "CNY"
account = "6225"
provider = "bank"
method = "bank_transfer"

[amount]
from = "two_columns"
in = "贷方发生额(元)"
out = "借方发生额(元)"

[line]
posted_at = { column = "交易日期", time_column = "交易时间", formats = ["%Y%m%d %H:%M:%S"] }
customer = { column = "对方户名" }
fields = { description = "摘要" }
attributes = { balance = "余额" }

[[kind]]
when = { column = "摘要", contains = "手续费" }
kind = "fee"

[[kind]]
kind = "transfer"
"#;

#[test]
fn a_banks_table_is_read_below_its_preamble_and_above_its_sum() {
    let (counts, rows, rejected) = read(BANK, BANK_MAPPING);
    assert!(rejected.is_empty(), "{rejected:?}");
    let nets: Vec<_> = rows.iter().map(|row| (row.kind, row.net.unwrap())).collect();
    assert_eq!(
        nets,
        [
            (LedgerKind::Transfer, 128_050),
            (LedgerKind::Fee, -1_200),
            (LedgerKind::Transfer, 500),
            (LedgerKind::Transfer, -10_000)
        ]
    );
    assert_eq!((counts.read, counts.accepted, counts.summaries, counts.headers), (9, 4, 1, 1));
    assert_eq!(counts.read, counts.accepted + counts.rejected + counts.not_data());
    assert_eq!(rows[0].posted_at.to_rfc3339(), "2026-11-20T01:15:00+00:00");
    assert_eq!(rows[2].source_day.unwrap().to_string(), "2026-11-21");
    assert_eq!((rows[0].account.as_str(), rows[0].line_id.len()), ("6225", 32));
    assert!(!format!("{rows:?}").contains("房东"), "names of others are hashed");
    assert!(rows.iter().all(|row| row.updated_at.is_some()), "every line supplies a version");
    let gbk = encoding_rs::GB18030.encode(BANK).0;
    assert!(read_bytes(&gbk, BANK_MAPPING).unwrap().1 == rows);
}

#[test]
fn lines_without_an_id_are_kept_apart_and_found_again() {
    let line = "20261120,09:15:00,,5.00,1,A,x\n";
    let head = "交易日期,交易时间,借方发生额（元）,贷方发生额（元）,余额,对方户名,摘要\n";
    let (_, rows, _) = read(&format!("{head}{line}{line}"), BANK_MAPPING);
    assert_eq!(rows[1].line_id, format!("{}#2", rows[0].line_id));
    let (_, alone, _) = read(&format!("{head}{line}"), BANK_MAPPING);
    assert_eq!(alone[0].line_id, rows[0].line_id);
    let (_, again, _) = read(&format!("{head}{line}{line}"), BANK_MAPPING);
    assert!(again == rows, "twice gives identical rows");
}

/// What an aggregator's export looks like: words for status, way and method, one file for all stores.
const TILL: &str = "门店,订单号,流水号,时间,类型,状态,支付方式,金额,手续费,收银员\n\
    一店,O1,T1,2026-11-20 09:15:00,收款,成功,微信,128.00,0.77,小王\n\
    一店,O1,T2,2026-11-20 10:15:00,退款,成功,微信,28.00,-0.17,小王\n\
    二店,O2,T3,2026-11-20 11:15:00,收款,成功,支付宝,9.00,0.05,小李\n\
    一店,O3,T4,2026-11-20 12:15:00,收款,已关闭,支付宝,9.00,,小李\n\
    一店,O4,T5,2026-11-20 12:15:00,收款,奇怪,支付宝,9.00,,小李\n\
    一店,O5,T6,2026-11-20 12:15:00,预授权,成功,支付宝,9.00,,小李\n\
    一店,O6,T7,20/11/2026,收款,成功,支付宝,9.00,,小李\n\
    一店,O7,T8,2026-11-20 12:15:00,收款,成功,支付宝,九元,,小李\n";

const TILL_MAPPING: &str = r#"
name = "till"
makes = "ledger_lines"
zone = "Asia/Shanghai"
currency = "CNY"
account = "M1"
provider = "till"

[amount]
from = "column"
column = "金额"
sign = "by_kind"

[line]
id = "流水号"
posted_at = { column = "时间", formats = ["%Y-%m-%d %H:%M:%S"] }
status = { column = "状态", values = { "成功" = "succeeded" } }
store = { column = "门店", is = ["一店"] }
fields = { order_id = "订单号", method = "支付方式", operator = "收银员" }
amounts = { fee = "手续费" }
words = { method = { "微信" = "wechat_pay", "支付宝" = "alipay" } }

[[skip]]
column = "状态"
equals = "已关闭"

[[kind]]
when = { column = "类型", equals = "收款" }
kind = "payment"

[[kind]]
when = { column = "类型", one_of = ["退款", "撤销"] }
kind = "refund"
"#;

#[test]
fn an_aggregators_table_is_read_by_its_words() {
    let (counts, rows, rejected) = read(TILL, TILL_MAPPING);
    let found: Vec<_> = rows
        .iter()
        .map(|row| (row.line_id.as_str(), row.kind, row.direction, row.gross, row.fee, row.net))
        .collect();
    assert_eq!(
        found,
        [
            ("T1", LedgerKind::Payment, Direction::In, 12_800, Some(77), Some(12_723)),
            ("T2", LedgerKind::Refund, Direction::Out, 2_800, Some(-17), Some(-2_783))
        ]
    );
    assert_eq!(rows[0].method.unwrap().to_string(), "wechat_pay");
    assert_eq!((rows[0].operator.as_deref(), rows[0].order_id.as_deref()), (Some("小王"), Some("O1")));
    assert_eq!(counts.passed, 2, "another store's line, and a closed one");
    let codes: Vec<_> = rejected.iter().map(|line| (line.line, line.code)).collect();
    assert_eq!(
        codes,
        [
            (6, RejectCode::UnknownStatus),
            (7, RejectCode::UnknownKind),
            (8, RejectCode::NotATime),
            (9, RejectCode::NotAnAmount)
        ]
    );
    assert_eq!(rejected[3].field, "金额");
}

#[test]
fn trap_ids_that_a_spreadsheet_rounded_refuse_the_file() {
    let damaged = TILL.replace("T2", "4.2E+27");
    assert_eq!(read_bytes(damaged.as_bytes(), TILL_MAPPING).unwrap_err(), Refusal::ExcelDamaged(3));
    let fee = TILL.replace("小李", "4.2E+27");
    assert!(read_bytes(fee.as_bytes(), TILL_MAPPING).is_ok(), "only ids are ids");
}

#[test]
fn a_direction_may_stand_in_words_or_in_a_sign() {
    let text = "No,At,Way,Sum\n1,2026-11-20 00:00:00,收入,5\n2,2026-11-20 00:00:00,支出,6\n3,2026-11-20 00:00:00,其他,7\n";
    let mapping = |amount: &str| {
        format!(
            "name = \"x\"\nmakes = \"ledger_lines\"\nzone = \"UTC\"\ncurrency = \"CNY\"\namount = {amount}\n[line]\nid = [\"No\"]\nposted_at = {{ column = \"At\", formats = [\"%Y-%m-%d\"] }}\n[[kind]]\nkind = \"transfer\"\n"
        )
    };
    let directed = mapping(
        "{ from = \"directed\", column = \"Sum\", direction = \"Way\", in = [\"收入\"], out = [\"支出\"] }",
    );
    let (_, rows, rejected) = read(text, &directed);
    assert_eq!(rows.iter().map(|row| row.net.unwrap()).collect::<Vec<_>>(), [500, -600]);
    assert_eq!(rejected[0].field, "Way");
    assert_eq!(rows[0].posted_at.to_rfc3339(), "2026-11-20T12:00:00+00:00", "a day stands for its noon");
    let minor =
        mapping("{ from = \"column\", column = \"Sum\", unit = \"minor\", sign = \"positive_is_out\" }");
    assert_eq!(read(text, &minor).1[0].net, Some(-5));
    let signed = mapping("{ from = \"column\", column = \"Sum\" }");
    let (_, rows, _) = read(&text.replace(",6", ",6.00-"), &signed);
    assert_eq!(rows[1].net, Some(-600));
}

#[test]
fn a_mapping_of_ledger_lines_is_strict_and_written_as_it_is_read() {
    let refused = |from: &str, to: &str| {
        assert!(TILL_MAPPING.contains(from), "{from}");
        Mapping::parse(&TILL_MAPPING.replacen(from, to, 1)).unwrap_err().code()
    };
    for (from, to) in [
        ("currency = \"CNY\"", "currency = \"CNY\"\ncolour = 1"),
        ("kind = \"payment\"", "kind = \"sale\""),
        ("kind = \"payment\"", ""),
        ("\"wechat_pay\"", "\"微信\""),
        ("sign = \"by_kind\"", "sign = \"by_luck\""),
        ("\"%Y-%m-%d %H:%M:%S\"", "\"%Q\""),
        ("order_id =", "orderid ="),
    ] {
        assert_eq!(refused(from, to), "mapping", "{from} → {to}");
    }
    let mapping: LineMapping = toml::from_str(TILL_MAPPING).unwrap();
    let written = toml::to_string(&mapping).unwrap();
    let (_, rows, _) = read(TILL, &written);
    assert!(rows == read(TILL, TILL_MAPPING).1, "{written}");
    let header = [TILL.lines().next().unwrap().to_owned()];
    assert!(Mapping::parse(TILL_MAPPING).unwrap().fits(&header));
    assert!(!Mapping::parse(BANK_MAPPING).unwrap().fits(&header));
    let missing = read_bytes(TILL.replace("手续费", "费").as_bytes(), TILL_MAPPING).unwrap_err();
    assert_eq!(missing, Refusal::ColumnMissing("手续费".to_owned()));
}

#[test]
fn the_export_of_a_chain_explorer_is_read_by_the_shipped_example() {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/samples/crypto/real_oklink_token_transfer.csv");
    let Ok(text) = std::fs::read_to_string(path) else {
        println!("skipped: ../shared is absent");
        return;
    };
    // The sample's author has blotted out part of every address.
    let mapping = include_str!("../../../../examples/mappings/oklink_token_transfers.toml")
        .replace("YOUR-ADDRESS", "0x1429****7f855c")
        .replace("0xdac17f958d2ee523a2206206994597c13d831ec7", "0xff7b****1b9f44");
    let (counts, rows, rejected) = read(&text, &mapping);
    assert!(rejected.is_empty(), "{:?}", &rejected[..1]);
    let lines: Vec<Vec<&str>> = text.lines().skip(1).map(|line| line.split(',').collect()).collect();
    let official: Vec<_> = lines.iter().filter(|cells| cells[10] == "0xff7b****1b9f44").collect();
    assert_eq!((counts.accepted, rows.len()), (official.len() as u64, official.len()));
    assert_eq!(counts.passed, (lines.len() - official.len()) as u64);
    let first = &rows[0];
    assert_eq!(
        (first.gross, first.direction, first.kind),
        (353_751_500, Direction::Out, LedgerKind::Transfer)
    );
    assert_eq!(first.posted_at.to_rfc3339(), "2025-11-09T05:46:11+00:00");
    let came: Vec<_> = rows.iter().filter(|row| row.kind == LedgerKind::Payment).collect();
    assert_eq!(came.len(), official.iter().filter(|cells| cells[6] == "0x1429****7f855c").count());
}
