mod account_bills;
mod csv_reports;
mod traps;

use std::io::Write;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;
use crate::domain::{Direction, LedgerKind, Scene, Status, instant_from_ms};

/// 2026-11-25T00:00:00Z.
const NOW_MS: i64 = 1_795_564_800_000;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/bills");
const SHARED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared");

/// What a file gives: the examination, its rows, its rejected lines.
type Outcome = Result<(Examined, Vec<LedgerLine>, Vec<RejectedLine>), Refusal>;

fn read(path: &Path) -> Outcome {
    let (examined, lines) = lines_of(path, &FileHints::default())?;
    let (mut rows, mut rejected) = (Vec::new(), Vec::new());
    for line in lines {
        match line {
            Line::Row(row) | Line::Witness(row) => rows.push(*row),
            Line::Transaction(row) => panic!("no bill of these tests tells of attempts: {row:?}"),
            Line::Rejected(line) => rejected.push(line),
            Line::NotData(_) => {}
        }
    }
    Ok((examined, rows, rejected))
}

/// Everything a file gives.
fn lines_of(path: &Path, hints: &FileHints) -> Result<(Examined, Vec<Line>), Refusal> {
    let scratch = tempfile::tempdir().unwrap();
    let pseudonyms = Pseudonyms::new([7; 32]);
    let now = instant_from_ms(NOW_MS);
    let context = BillContext { store: StoreId(1), now, file: "f", pseudonyms: &pseudonyms, hints };
    let run = || -> Result<_, SpoolError> {
        let spool = Spool::of(path, scratch.path(), None)?;
        let format = recognise(&spool.head(HEAD_LINES_MAX)?)?;
        let mut lines = Vec::new();
        let examined = read_bill(&spool, format, &context, |line, _| {
            lines.push(line);
            Ok(())
        })?;
        Ok((examined, lines))
    };
    run().map_err(|error| match error {
        SpoolError::Refused(refusal) => refusal,
        SpoolError::Io(error) => panic!("{}: {error}", path.display()),
    })
}

fn read_bytes(bytes: &[u8]) -> Outcome {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    read(file.path())
}

fn fixture(name: &str) -> PathBuf {
    Path::new(FIXTURES).join(name)
}

fn text_of(name: &str) -> String {
    std::fs::read_to_string(fixture(name)).unwrap()
}

fn gbk(text: &str) -> Vec<u8> {
    encoding_rs::GB18030.encode(text).0.into_owned()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

fn zip_of(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        out.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        out.write_all(bytes).unwrap();
    }
    out.finish().unwrap().into_inner()
}

/// Every file of the shared samples below `folder`, or nothing where they are not at hand.
fn shared(folder: &str) -> Vec<PathBuf> {
    let Ok(found) = std::fs::read_dir(Path::new(SHARED).join(folder)) else {
        println!("skipped: ../shared is absent");
        return Vec::new();
    };
    found.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect()
}

fn wechat() -> String {
    text_of("synthetic_v3_tradebill_ALL_edge_cases.csv")
}

fn alipay() -> String {
    text_of("synthetic_trade_detail.utf8.csv")
}

#[test]
fn every_sample_is_taken_whole_or_refused_for_what_it_is() {
    for path in shared("samples/wechat").into_iter().chain(shared("samples/alipay")) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let outcome = read(&path);
        let refused_as = match name.as_str() {
            _ if name.starts_with("personal_statement") => Some("consumer_statement"),
            // Its author has cut a row out, and left the summary.
            _ if name.starts_with("real_v3_fundflow") => Some("totals_differ"),
            _ => None,
        };
        match (refused_as, outcome) {
            (Some(code), Err(refusal)) => assert_eq!(refusal.code(), code, "{name}: {refusal}"),
            (None, Ok((examined, rows, rejected))) => {
                assert_eq!(examined.totals, TotalsCheck::Matched, "{name}");
                assert!(examined.about.controls.iter().all(|total| total.printed.parse::<f64>().is_ok()));
                assert!(!examined.about.controls.is_empty(), "{name}");
                assert_eq!(examined.about.zone, "Asia/Shanghai", "{name}");
                assert!(rejected.is_empty(), "{name}: {rejected:?}");
                let lines = examined.lines;
                assert_eq!(lines.read, lines.accepted + lines.rejected + lines.not_data(), "{name}");
                assert_eq!(lines.accepted, u64::try_from(rows.len()).unwrap(), "{name}");
            }
            (expected, outcome) => panic!("{name}: expected {expected:?}, got {outcome:?}"),
        }
    }
}

#[test]
fn statements_of_shoppers_are_refused_with_the_file_to_take_instead() {
    for path in shared("data/consumer_statements") {
        if path.file_name().is_some_and(|name| name == "LICENSE") {
            continue;
        }
        let refusal = read(&path).unwrap_err();
        assert!(matches!(refusal, Refusal::Consumer(_)), "{}: {refusal:?}", path.display());
        assert_ne!(refusal, Refusal::Consumer(Consumer::Other), "{}", path.display());
        assert!(refusal.sentence_en().contains("merchant platform"));
        assert!(refusal.sentence_zh().contains("商户账单"));
    }
}

#[test]
fn a_wechat_pay_bill_becomes_ledger_lines() {
    let (examined, rows, _) = read(&fixture("synthetic_v3_tradebill_ALL_edge_cases.csv")).unwrap();
    assert_eq!((examined.provider, examined.about.variant.as_str()), ("wechat_pay", "ALL"));
    assert_eq!((examined.lines.read, examined.lines.accepted, examined.lines.not_data()), (9, 6, 3));
    let first = &rows[0];
    assert_eq!((first.account.as_str(), first.kind), ("1900000109", LedgerKind::Payment));
    assert_eq!((first.gross, first.fee, first.net), (12_800, Some(77), Some(12_723)));
    assert_eq!(first.posted_at.to_rfc3339(), "2026-11-19T16:00:00+00:00");
    assert_eq!(first.source_day.unwrap().to_string(), "2026-11-20");
    assert_eq!(first.description.as_deref(), Some("咖啡礼盒,双人装"));
    assert!(first.attributes.contains(&("store_code".into(), "SH-001".into())));
    assert_eq!(first.customer.as_ref().map(String::len), Some(32));
    assert_eq!(first.customer, rows[2].customer);
    let coupon = &rows[1];
    assert_eq!((coupon.gross, coupon.net, coupon.discount_merchant), (10_000, Some(8_946), Some(1_000)));
    assert_eq!((coupon.scene, coupon.method_detail.funding.as_deref()), (Some(Scene::Web), Some("credit")));
    let refund = &rows[3];
    assert_eq!((refund.kind, refund.direction), (LedgerKind::Refund, Direction::Out));
    assert_eq!((refund.gross, refund.fee, refund.net), (2_800, Some(-17), Some(-2_783)));
    assert_eq!(refund.line_id, "50300000012026112000000000001");
    assert_eq!(refund.parent_transaction_id.as_deref(), Some("4200000001202611200000000001"));
    assert_eq!(rows[4].status, Status::Pending);
    assert_eq!(
        (rows[5].kind, rows[5].gross, rows[5].scene),
        (LedgerKind::Refund, 3_550, Some(Scene::Scanner))
    );
    assert_eq!(rows[5].fee_rate.as_deref(), Some("0.60%"));
}

#[test]
fn an_alipay_bill_becomes_ledger_lines() {
    let (examined, rows, _) = read(&fixture("synthetic_trade_20261120.csv.zip")).unwrap();
    assert_eq!((examined.provider, examined.about.variant.as_str()), ("alipay", "trade"));
    assert_eq!((examined.lines.read, examined.lines.accepted), (13, 4));
    assert_eq!(rows[0].account, "2088000000000001");
    assert_eq!((rows[0].gross, rows[0].fee, rows[0].net), (12_800, Some(77), Some(12_723)));
    assert_eq!(rows[0].operator.as_deref(), Some("op1"));
    let split = &rows[1];
    assert_eq!((split.gross, split.fee, split.net), (10_000, Some(57), Some(9_343)));
    assert_eq!((split.discount_merchant, split.discount_platform), (Some(500), Some(500)));
    let refund = &rows[2];
    assert_eq!((refund.gross, refund.fee, refund.net), (2_800, Some(-17), Some(-2_783)));
    assert_eq!(refund.line_id, "2026112022001400000000000001/SYNAR20261120000001");
    assert!(rows.iter().all(|row| row.customer.is_none()), "masked buyers are no identity");
}

#[test]
fn packing_encoding_line_ends_and_brackets_do_not_matter() {
    let plain = read_bytes(wechat().as_bytes()).unwrap().1;
    assert_eq!(read(&fixture("synthetic_v3_tradebill_ALL_edge_cases.bom_crlf.csv")).unwrap().1, plain);
    assert_eq!(read_bytes(&gzip(wechat().as_bytes())).unwrap().1, plain);
    assert_eq!(read_bytes(wechat().trim_end().as_bytes()).unwrap().1, plain, "no newline at the end");
    assert_eq!(read_bytes(&gbk(&wechat())).unwrap().1, plain);
    let utf8 = read_bytes(alipay().as_bytes()).unwrap().1;
    assert_eq!(read(&fixture("synthetic_trade_detail.gbk.csv")).unwrap().1, utf8);
    let half_width = alipay().replace('（', "(").replace('）', ")").replace('：', ":");
    assert_eq!(read_bytes(half_width.as_bytes()).unwrap().1, utf8);
    assert_eq!(read_bytes(&zip_of(&[("a.csv", &gbk(&alipay()))])).unwrap().1, utf8);
    let old_words = alipay()
        .replace("商家实收共223.00元，商家优惠共5.00元", "交易金额共228.00元，优惠金额共5.00元")
        .replace(
            "商家实收退款共-78.00元，商家优惠退款共0.00元",
            "交易退款金额共78.00元，优惠退款金额共0.00元",
        );
    assert_eq!(read_bytes(old_words.as_bytes()).unwrap().1, utf8);
}

#[test]
fn the_old_families_of_wechat_pay_are_read() {
    for (coupon, coupon_refund, total) in [
        ("代金券或立减优惠金额", "代金券或立减优惠退款金额", "总代金券或立减优惠退款金额"),
        ("企业红包金额", "企业红包退款金额", "总企业红包退款金额"),
    ] {
        let all = format!(
            "交易时间,公众账号ID,商户号,子商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,总金额,{coupon},微信退款单号,商户退款单号,退款金额,{coupon_refund},退款类型,退款状态,商品名称,商户数据包,手续费,费率\n\
            `2014-11-1016：33：45,`wx1,`10000100,`0,`1000,`1001690740201411100005734289,`1415640626,`u,`MICROPAY,`SUCCESS,`CFT,`CNY,`0.01,`0.0,`0,`0,`0,`0,`,`,`被扫支付测试,`订单额外描述,`0,`0.60%\n\
            `2014-11-10 16：46：14,`wx1,`10000100,`20,`1000,`1002780740201411100005729794,`1415635270,`u,`MICROPAY,`REFUND,`CFT,`CNY,`0.01,`0.0,`2002780740201411100005729794,`r1,`0.01,`0,`ORIGINAL,`SUCCESS,`被扫,`x,`0,`0.60%\n\
            总交易单数,总交易额,总退款金额,{total},手续费总金额\n`2,`0.01,`0.01,`0.0,`0\n"
        );
        let (examined, rows, rejected) = read_bytes(all.as_bytes()).unwrap();
        assert!(rejected.is_empty(), "{rejected:?}");
        assert_eq!((examined.about.variant.as_str(), examined.totals), ("ALL (old)", TotalsCheck::Matched));
        assert_eq!((rows[0].gross, rows[0].net, rows[1].gross, rows[1].net), (1, Some(1), 1, Some(-1)));
        assert!(rows[1].attributes.contains(&("sub_merchant".into(), "20".into())));
    }
}

#[test]
fn the_acquirer_family_of_alipay_prints_its_own_net() {
    let text = alipay()
        .replace(
            "退款批次号/请求号,服务费（元）,分润（元）,备注",
            "退款批次号,服务费（元）,实收净额（元）,商户识别号,交易方式,花呗分期手续费,花呗分期数,备注",
        )
        .replace("-0.77,0.00,花呗", "-0.77,127.23,m,x,,3,花呗")
        .replace("-0.57,-1.00,", "-0.57,94.43,m,x,,,")
        .replace("0.17,0.00,部分退款", "0.17,-27.83,m,x,,,部分退款")
        .replace("SYNAR20261120000002\t,0.00,0.00,", "SYNAR20261120000002\t,0.00,-50.00,m,x,,,");
    let (examined, rows, rejected) = read_bytes(text.as_bytes()).unwrap();
    assert!(rejected.is_empty(), "{rejected:?}");
    assert_eq!(examined.about.variant, "trade (acquirer)");
    let nets: Vec<_> = rows.iter().map(|row| row.net.unwrap()).collect();
    assert_eq!(nets, [12_723, 9_443, -2_783, -5_000]);
}

#[test]
fn a_day_without_trades_is_a_good_file_of_no_rows() {
    let (examined, rows, _) = read(&fixture("synthetic_v3_no_trades_header_only.csv")).unwrap();
    assert_eq!((rows.len(), examined.totals, examined.lines.read), (0, TotalsCheck::Matched, 3));
}

#[test]
fn several_days_joined_into_one_file_are_checked_each() {
    let twice = format!("{}\n{}", wechat().trim_end(), text_of("synthetic_v3_no_trades_header_only.csv"));
    assert_eq!(read_bytes(twice.as_bytes()).unwrap().1.len(), 6);
}

#[test]
fn a_file_that_does_not_add_up_is_refused() {
    let code = |text: String| read_bytes(text.as_bytes()).unwrap_err().code();
    let without_row = |text: String, part: &str| {
        text.lines().filter(|line| !line.contains(part)).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(code(without_row(wechat(), "SYN20261120000002")), "totals_differ");
    assert_eq!(code(wechat().replace("`0.54000,`0.60%", "`0.55000,`0.60%")), "totals_differ");
    assert_eq!(code(wechat().replace("`100.00,`0.00,`\n", "`100.01,`0.00,`\n")), "totals_differ");
    assert_eq!(code(without_row(alipay(), "SYNA20261120000002")), "totals_differ");
    assert_eq!(code(alipay().replace("95.00", "96.00")), "totals_differ");
    let cut = wechat();
    let cut = &cut[..cut.find("总交易单数").unwrap()];
    assert_eq!(code(cut.to_owned()), "summary_missing");
    assert_eq!(code(alipay().lines().take(8).collect::<Vec<_>>().join("\n")), "summary_missing");
}

#[test]
fn a_bad_row_is_rejected_with_line_field_and_code_and_the_others_go_in() {
    for (from, to, line, code) in [
        ("2026-11-20 09:15:07", "9999-12-31 09:15:07", 3, RejectCode::InTheFuture),
        ("2026-11-20 09:15:07", "2026-11-20 09:15", 3, RejectCode::SecondsMissing),
        ("`MICROPAY,`REVOKED", "`MICROPAY,`CLOSED", 7, RejectCode::UnknownKind),
        ("`ORIGINAL,`PROCESSING", "`ORIGINAL,`MAYBE", 6, RejectCode::UnknownStatus),
        ("`CMB_CREDIT,`CNY", "`CMB_CREDIT,`RMB", 3, RejectCode::UnknownCurrency),
        ("`书籍", "`4111 1111 1111 1111", 3, RejectCode::CardNumber),
        ("`4200000001202611200000000002", "`", 3, RejectCode::Missing),
        ("`90.00,`10.00", "`90.00x,`10.00", 3, RejectCode::NotAnAmount),
        ("`90.00,`10.00", "`9999999999999999999999999999999999,`10.00", 3, RejectCode::AmountOutOfRange),
        ("`CNY,`0.01,`0.00,`0,`0,", "`CNY,`0.01,`0.00,`0,", 4, RejectCode::ColumnCount),
    ] {
        let text = wechat();
        assert!(text.contains(from), "{from}");
        let (examined, rows, rejected) = read_bytes(text.replacen(from, to, 1).as_bytes()).unwrap();
        assert_eq!((rows.len(), rejected.len()), (5, 1), "{from} → {to}: {rejected:?}");
        assert_eq!((rejected[0].line, rejected[0].code), (line, code), "{from} → {to}");
        assert_eq!(examined.lines.read, 9);
        let raw = rejected[0].raw.clone().unwrap_or_default();
        assert!(!raw.contains("oSYN_user"), "a shopper's id in {raw}");
        assert!(code != RejectCode::CardNumber || !format!("{:?}", rejected[0]).contains("1111"));
    }
}

#[test]
fn what_is_no_bill_is_refused_with_a_reason() {
    let scratch = tempfile::tempdir().unwrap();
    assert_eq!(read(scratch.path()).unwrap_err(), Refusal::Directory);
    let summary = "#支付宝业务汇总查询\n#账号：[1]\n门店编号,门店名称\n";
    let locked = {
        let mut out = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        let options =
            zip::write::SimpleFileOptions::default().with_aes_encryption(zip::AesMode::Aes256, "secret");
        out.start_file("a.csv", options).unwrap();
        out.write_all(alipay().as_bytes()).unwrap();
        out.finish().unwrap().into_inner()
    };
    let good_zip = zip_of(&[("a.csv", alipay().as_bytes())]);
    let excel = wechat().replace('`', "").replace("4200000001202611200000000002", "4.2E+27");
    let damaged = {
        let mut bytes = wechat().into_bytes();
        let middle = bytes.len() / 2;
        let place = middle + bytes[middle..].iter().position(u8::is_ascii_digit).unwrap();
        bytes[place] = 0xff;
        bytes
    };
    let packed = gzip(wechat().as_bytes());
    let many: Vec<(String, &[u8])> = (0..101).map(|n| (format!("{n}.csv"), b"x".as_slice())).collect();
    let many: Vec<(&str, &[u8])> = many.iter().map(|(name, bytes)| (name.as_str(), *bytes)).collect();
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("empty", Vec::new()),
        ("empty", gzip(b"")),
        ("unknown_format", b"a,b,c\n1,2,3\n".to_vec()),
        ("unknown_format", b"\0\0\0".to_vec()),
        ("error_answer", b"<xml><return_code>FAIL</return_code></xml>".to_vec()),
        ("error_answer", br#"{"code":"NO_STATEMENT_EXIST","message":"x"}"#.to_vec()),
        ("summary_file", summary.as_bytes().to_vec()),
        ("excel_damaged", excel.into_bytes()),
        ("encoding", damaged),
        ("cut_off", packed[..packed.len() - 20].to_vec()),
        ("archive_damaged", good_zip[..good_zip.len() / 2].to_vec()),
        ("password_needed", locked),
        ("archive_several_bills", zip_of(&[("a", alipay().as_bytes()), ("b", wechat().as_bytes())])),
        ("archive_without_bill", zip_of(&[])),
        ("archive_entries", zip_of(&many)),
        ("compression_bomb", gzip(&vec![b'0'; 64 << 20])),
        ("compression_bomb", zip_of(&[("a.csv", &bomb_bill())])),
        ("line_too_long", format!("{}{}", wechat(), "x".repeat(LINE_BYTES_MAX + 1)).into_bytes()),
        ("column_twice", wechat().replace("费率备注", "费率").into_bytes()),
        ("column_missing", wechat().replace("手续费,", "手续,").into_bytes()),
    ];
    for (code, bytes) in cases {
        match read_bytes(&bytes) {
            Err(refusal) => {
                assert_eq!(refusal.code(), code, "{refusal}");
                assert!(!refusal.sentence_zh().is_empty());
            }
            Ok(outcome) => panic!("{code} was taken: {:?}", outcome.0),
        }
    }
}

/// A bill that begins well and then goes on for ever.
fn bomb_bill() -> Vec<u8> {
    let mut bytes = alipay().into_bytes();
    bytes.resize(64 << 20, b'\n');
    bytes
}

/// The cells of every line put in another order; lines of another shape stay as they are.
fn shuffled(text: &str, order: &[usize]) -> String {
    let columns = order.len();
    let mut out = String::new();
    for line in text.lines() {
        let cells: Vec<&str> = line.split(',').collect();
        if cells.len() == columns {
            let moved: Vec<&str> = order.iter().map(|place| cells[*place]).collect();
            out.push_str(&moved.join(","));
        } else {
            out.push_str(line);
        }
        out.push('\n');
    }
    out
}

fn order_of(columns: usize) -> impl Strategy<Value = Vec<usize>> {
    Just((0..columns).collect::<Vec<_>>()).prop_shuffle()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_order_of_columns_does_not_matter(of_wechat in order_of(27), of_alipay in order_of(25)) {
        let rows = read_bytes(wechat().as_bytes()).unwrap().1;
        // The sample has a comma in one cell (an escaped one is a space): no line has another number of cells.
        prop_assert_eq!(read_bytes(shuffled(&wechat(), &of_wechat).as_bytes()).unwrap().1, rows);
        let rows = read_bytes(alipay().as_bytes()).unwrap().1;
        prop_assert_eq!(read_bytes(shuffled(&alipay(), &of_alipay).as_bytes()).unwrap().1, rows);
    }

    #[test]
    fn no_bytes_make_the_reader_panic(
        noise in prop::collection::vec(any::<u8>(), 0..600),
        at in 0.0..1.0_f64,
        of_wechat in any::<bool>(),
    ) {
        let _ = read_bytes(&noise);
        let mut bytes = if of_wechat { wechat() } else { alipay() }.into_bytes();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a place in a small file")]
        let place = (bytes.len() as f64 * at) as usize;
        let end = (place + noise.len() / 10).min(bytes.len());
        bytes.splice(place..end, noise.iter().take(40).copied());
        if let Ok((examined, rows, rejected)) = read_bytes(&bytes) {
            prop_assert_eq!(examined.lines.accepted, u64::try_from(rows.len()).unwrap());
            prop_assert_eq!(examined.lines.rejected, u64::try_from(rejected.len()).unwrap());
        }
    }
}
