use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::path::Path;

use super::super::bills::{RejectCode, encoding_of};
use super::*;
use crate::domain::{Kind, Status, instant_from_ms};

/// 2026-11-25T00:00:00Z.
const NOW_MS: i64 = 1_795_564_800_000;
const RETAIL: &str = include_str!("../../../examples/online_retail.toml");
const HEADER: &str = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n";

type Outcome = Result<(LineCounts, Vec<Transaction>, Vec<RejectedLine>), Refusal>;

fn read(path: &Path, mapping: &Mapping) -> Outcome {
    let scratch = tempfile::tempdir().unwrap();
    let pseudonyms = Pseudonyms::new([7; 32]);
    let context = MappingContext {
        store: StoreId(1),
        now: instant_from_ms(NOW_MS),
        file: "f",
        pseudonyms: &pseudonyms,
    };
    let expected = mapping.encoding.as_deref().and_then(encoding_of);
    let (mut rows, mut rejected) = (Vec::new(), Vec::new());
    let counts = Spool::of(path, scratch.path(), expected).and_then(|spool| {
        read_mapped(&spool, mapping, &context, |mapped, _| {
            match mapped {
                Mapped::Transaction(row) => rows.push(*row),
                Mapped::Rejected(line) => rejected.push(line),
                Mapped::Line(line) => panic!("{line:?}"),
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

fn read_text(text: &[u8], mapping: &str) -> Outcome {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text).unwrap();
    read(file.path(), &Mapping::parse(mapping)?)
}

fn retail(lines: &str) -> (LineCounts, Vec<Transaction>, Vec<RejectedLine>) {
    read_text(format!("{HEADER}{lines}").as_bytes(), RETAIL).unwrap()
}

#[test]
fn the_real_shop_comes_out_as_expected() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let Ok(expected) = std::fs::read(folder.join("expected_online_retail_dev.json")) else {
        println!("skipped: ../shared is absent");
        return;
    };
    let expected: serde_json::Value = serde_json::from_slice(&expected).unwrap();
    let mapping = Mapping::parse(RETAIL).unwrap();
    let (counts, rows, rejected) =
        read(&folder.join("online_retail_2010-12_2011-02.csv.gz"), &mapping).unwrap();
    assert!(rejected.is_empty(), "{rejected:?}");
    assert_eq!(counts.accepted, expected["lines"].as_u64().unwrap());
    assert_eq!(rows.len() as u64, expected["transactions"].as_u64().unwrap());
    let tally = |key: &dyn Fn(&Transaction) -> String| {
        let mut tally: BTreeMap<String, [i64; 4]> = BTreeMap::new();
        for row in &rows {
            let place = usize::from(row.kind == Kind::Refund) * 2;
            let cells = tally.entry(key(row)).or_default();
            cells[place] += 1;
            cells[place + 1] += row.amount.minor();
        }
        tally
    };
    let wanted = |of: &str| -> BTreeMap<String, [i64; 4]> {
        let names = ["payments", "payment_amount", "refunds", "refund_amount"];
        let groups = expected[of].as_object().unwrap().iter();
        groups.map(|(key, cells)| (key.clone(), names.map(|name| cells[name].as_i64().unwrap()))).collect()
    };
    let month = |row: &Transaction| {
        row.created_at.with_timezone(&chrono_tz::Europe::London).format("%Y-%m").to_string()
    };
    assert_eq!(tally(&month), wanted("per_month"));
    assert_eq!(tally(&|row| row.attributes[0].1.clone()), wanted("per_country"));
    let payments = rows.iter().filter(|row| row.kind == Kind::Payment);
    let zero = payments.clone().filter(|row| row.amount.minor() == 0).count();
    assert_eq!(zero as u64, expected["payments"]["zero_amount"].as_u64().unwrap());
    let mut products: HashMap<&str, i64> = HashMap::new();
    let mut customers: HashMap<&str, u64> = HashMap::new();
    for row in payments {
        for item in &row.items {
            *products.entry(item.sku.as_deref().unwrap()).or_default() += item.line_amount;
        }
        if let Some(customer) = &row.customer {
            *customers.entry(customer).or_default() += 1;
        }
    }
    for product in expected["top10_products_by_payment_amount"].as_array().unwrap() {
        assert_eq!(products[product["sku"].as_str().unwrap()], product["amount"].as_i64().unwrap());
    }
    let repeated = customers.values().filter(|payments| **payments > 1).count() as u64;
    assert_eq!(customers.len() as u64, expected["customers"]["with_reference"].as_u64().unwrap());
    assert_eq!(repeated, expected["customers"]["paying_more_than_once"].as_u64().unwrap());
}

#[test]
fn lines_of_one_invoice_are_one_transaction_wherever_they_stand() {
    let (counts, rows, rejected) = retail(
        "1,a,A,2,2011-01-17 10:37:00,1.005,7.0,France\n2,b,B,1,2011-01-17 11:00:00,3,,France\n\
         1,a,A,1,2011-01-17 10:36:00,0.001,,France\nC3,c,\"C, big\",-1,2011-07-17 10:00:00,2.5,7,EIRE\n",
    );
    assert!(rejected.is_empty());
    assert_eq!((counts.read, counts.accepted, counts.not_data()), (5, 4, 1));
    let found: Vec<_> = rows
        .iter()
        .map(|row| (row.transaction_id.as_str(), row.kind, row.amount.minor(), row.items.len()))
        .collect();
    // 2 × 1.005 + 0.001 is rounded once, to 2.01.
    assert_eq!(
        found,
        [("2", Kind::Payment, 300, 1), ("1", Kind::Payment, 201, 2), ("C3", Kind::Refund, 250, 1)]
    );
    assert_eq!(rows[1].created_at.to_rfc3339(), "2011-01-17T10:36:00+00:00");
    assert_eq!(rows[2].created_at.to_rfc3339(), "2011-07-17T09:00:00+00:00", "summer time");
    assert_eq!(rows[1].customer, rows[2].customer, "7.0 and 7 are one customer");
    assert_eq!(rows[0].customer, None);
    assert_eq!((rows[2].items[0].quantity.to_string().as_str(), rows[2].items[0].line_amount), ("1", 250));
    assert_eq!((rows[1].status, rows[1].method), (Status::Succeeded, None));
}

#[test]
fn a_bad_line_spoils_its_own_transaction_only() {
    let (counts, rows, rejected) = retail(
        "1,a,A,x,2011-01-17 10:37:00,1,,F\n1,a,A,1,2011-01-17 10:37:00,1,,F\n2,b,B,1,2011-01-17 11:00:00,3,,F\n\
         A9,b,B,1,2011-01-17 11:00:00,3,,F\n3,b,B,-1,2011-01-17 11:00:00,3,,F\n4,b,B,1,2011-03-27 01:30:00,3,,F\n\
         5,b,B,1,9999-01-01 00:00:00,3,,F\n6,b,4111111111111111,1,2011-01-17 11:00:00,3,9.0,F\n\
         7,b,B,1,17.01.2011,3,,F\n8,b,B,1,2011-01-17 11:00:00,99999999999999,,F\n,b,B,1,2011-01-17 11:00:00,3,,F\n9,b\n",
    );
    assert_eq!(rows.len(), 1);
    assert_eq!(counts.read, counts.accepted + counts.rejected + counts.not_data());
    let found: Vec<_> = rejected.iter().map(|line| (line.line, line.code)).collect();
    assert_eq!(
        found,
        [
            (2, RejectCode::NotAnAmount),
            (3, RejectCode::TransactionRejected),
            (5, RejectCode::RejectedByMapping),
            (6, RejectCode::NegativeAmount),
            (7, RejectCode::NoSuchTime),
            (8, RejectCode::InTheFuture),
            (9, RejectCode::CardNumber),
            (10, RejectCode::NotATime),
            (11, RejectCode::AmountOutOfRange),
            (12, RejectCode::Missing),
            (13, RejectCode::ColumnCount),
        ]
    );
    assert!(rejected.iter().all(|line| !format!("{line:?}").contains("4111")));
    assert!(rejected[2].sentence.contains("neither a sale"));
}

#[test]
fn a_mapping_is_strict() {
    let refused = |from: &str, to: &str| {
        assert!(RETAIL.contains(from), "{from}");
        Mapping::parse(&RETAIL.replacen(from, to, 1)).unwrap_err().code()
    };
    for (from, to) in [
        ("currency = \"GBP\"", "currency = \"GBP\"\ncolour = 1"),
        ("currency = \"GBP\"", "currency = \"XXQ\""),
        ("Europe/London", "Europe/Londres"),
        ("sku = ", "skuu = "),
        ("kind = \"payment\"", "kind = \"sale\""),
        ("kind = \"payment\"", ""),
        ("digits = true", ""),
        ("\"%Y-%m-%d %H:%M\"", "\"%Q\""),
        ("utf-8", "klingon"),
    ] {
        assert_eq!(refused(from, to), "mapping", "{from} → {to}");
    }
    assert_eq!(Mapping::parse("name = 1").unwrap_err().code(), "mapping");
    let missing = read_text(b"InvoiceNo,StockCode\n1,2\n", RETAIL).unwrap_err();
    assert_eq!(missing.code(), "column_missing");
}

#[test]
fn an_encoding_that_the_mapping_names_must_be_met() {
    let text = format!("{HEADER}1,a,咖啡礼盒,2,2011-01-17 10:37:00,1,,F\n");
    let gbk = encoding_rs::GBK.encode(&text).0.into_owned();
    assert_eq!(read_text(&gbk, RETAIL).unwrap_err().code(), "encoding");
    let as_gbk = RETAIL.replace("utf-8", "gbk");
    assert_eq!(read_text(&gbk, &as_gbk).unwrap().1[0].items[0].name.as_deref(), Some("咖啡礼盒"));
    let untold = RETAIL.replace("encoding = \"utf-8\"", "");
    assert_eq!(read_text(&gbk, &untold).unwrap().1.len(), 1);
}

#[test]
fn a_quote_that_is_never_closed_ends_the_reading() {
    let text = format!("{HEADER}1,a,\"{}", "x,y\n".repeat(1 << 20));
    assert_eq!(read_text(text.as_bytes(), RETAIL).unwrap_err().code(), "line_too_long");
}

#[test]
fn a_file_of_single_lines_has_its_own_columns_and_words() {
    let mapping = "name = \"till\"\nzone = \"Asia/Shanghai\"\ncurrency = \"JPY\"\ndelimiter = \";\"\n\
        provider = \"till\"\n[transaction]\nid = \"No\"\nlines = \"single\"\nfee = \"Fee\"\n\
        created_at = { column = \"At\", formats = [\"%d.%m.%Y %H:%M\", \"%Y-%m-%dT%H:%M:%S%z\"] }\n\
        fields = { method = \"How\", order_id = \"Order\" }\n\
        status = { column = \"State\", values = { ok = \"succeeded\", no = \"failed\" } }\n\
        [amount]\nfrom = \"column\"\ncolumn = \"Sum\"\nunit = \"minor\"\n\
        [[kind]]\nwhen = { column = \"No\", any = true }\nkind = \"payment\"\n";
    let text = "Fee;No;At;Sum;How;Order;State\n1;a;20.11.2026 09:00;500;cash;o1;ok\n\
        2;a;2026-11-20T09:00:00+00:00;700;card;o2;no\n0;b;20.11.2026 09:00;1;CASH;;ok\n0;c;20.11.2026 09:00;1;cash;;maybe\n";
    let (_, rows, rejected) = read_text(text.as_bytes(), mapping).unwrap();
    assert_eq!((rows.len(), rejected.len()), (2, 2), "{rejected:?}");
    assert_eq!((rows[0].amount.minor(), rows[0].fee), (500, Some(1)));
    assert_eq!(rows[0].created_at.to_rfc3339(), "2026-11-20T01:00:00+00:00");
    assert_eq!(rows[1].created_at.to_rfc3339(), "2026-11-20T09:00:00+00:00");
    assert_eq!((rows[1].status, rows[0].order_id.as_deref()), (Status::Failed, Some("o1")));
    assert_eq!(rows[0].method.map(|word| word.to_string()).as_deref(), Some("cash"));
}

const TILL: &str = "name = \"till\"\nzone = \"Asia/Shanghai\"\ncurrency = \"CNY\"\nfooter = [\"合计\"]\n\
    [transaction]\nlines = \"single\"\n\
    created_at = { column = \"日期\", time_column = \"时间\", formats = [\"%Y-%m-%d %H:%M:%S\"] }\n\
    fields = { method = \"支付方式\", operator = \"收银员\" }\n\
    words = { method = { \"微信\" = \"wechat_pay\", \"*\" = \"other\" } }\n\
    store = { column = \"门店\", is = [\"一店\"] }\n\
    [amount]\nfrom = \"column\"\ncolumn = \"金额（元）\"\nunit = \"major\"\n\
    [[skip]]\ncolumn = \"状态\"\none_of = [\"已关闭\"]\n\
    [[kind]]\nwhen = { column = \"金额（元）\", negative = true }\nkind = \"refund\"\namount = \"without_sign\"\n\
    [[kind]]\nwhen = { column = \"日期\", any = true }\nkind = \"payment\"\n";

#[test]
fn a_tills_table_becomes_transactions_whatever_stands_around_it() {
    let text = "某某收银系统,,\n\n门店,日期,时间,状态,支付方式,金额(元),收银员\n\
        一店,2026-11-20,09:15:00,成功,微信,\"¥1,280.00\",小王\n一店,2026-11-20,09:15:00,成功,微信,\"¥1,280.00\",小王\n\
        一店,2026-11-20,09:20:00,成功,神秘,（8.00）,小王\n二店,2026-11-20,09:15:00,成功,微信,5.00,小李\n\
        一店,2026-11-20,09:15:00,已关闭,微信,5.00,小李\n合计,,,,,2552.00,\n";
    let (counts, rows, rejected) = read_text(text.as_bytes(), TILL).unwrap();
    assert!(rejected.is_empty(), "{rejected:?}");
    let found: Vec<_> =
        rows.iter().map(|row| (row.kind, row.amount.minor(), row.method.unwrap().to_string())).collect();
    assert_eq!(
        found,
        [
            (Kind::Payment, 128_000, "wechat_pay".to_owned()),
            (Kind::Payment, 128_000, "wechat_pay".to_owned()),
            (Kind::Refund, 800, "other".to_owned())
        ]
    );
    assert_eq!(rows[1].transaction_id, format!("{}#2", rows[0].transaction_id), "identical lines stay apart");
    assert_eq!((counts.passed, counts.summaries, counts.comments), (2, 1, 1));
    assert_eq!(counts.read, counts.accepted + counts.rejected + counts.not_data());
    let again = read_text(text.as_bytes(), TILL).unwrap().1;
    assert!(again == rows, "twice gives identical rows");
    let grouped = TILL.replace("\"single\"", "\"grouped\"");
    assert_eq!(Mapping::parse(&grouped).unwrap_err().code(), "mapping", "nothing to be grouped by");
}

#[test]
fn trap_an_id_that_a_spreadsheet_rounded_refuses_the_file() {
    let text = format!("{HEADER}4.2E+27,a,A,1,2011-01-17 10:37:00,1,,F\n");
    assert_eq!(read_text(text.as_bytes(), RETAIL).unwrap_err(), Refusal::ExcelDamaged(2));
}
