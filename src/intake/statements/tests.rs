use std::io::Write;
use std::path::{Path, PathBuf};

use super::super::Pseudonyms;
use super::super::bills::{
    BillContext, Examined, FileHints, HEAD_LINES_MAX, Line, Refusal, RejectCode, RejectedLine, Spool,
    SpoolError, TotalsCheck, XmlFault, read_bill, recognise,
};
use crate::domain::{Direction, LedgerKind, LedgerLine, StoreId, instant_from_ms};

/// 2026-11-25T00:00:00Z.
const NOW_MS: i64 = 1_795_564_800_000;
const SHARED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/samples");
const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/statements");

/// What a file gives: rows and rejected lines up to its end or refusal, and how it ended.
struct Found {
    rows: Vec<LedgerLine>,
    rejected: Vec<RejectedLine>,
    end: Result<Examined, Refusal>,
}

fn read(path: &Path, hints: &FileHints) -> Found {
    let scratch = tempfile::tempdir().unwrap();
    let pseudonyms = Pseudonyms::new([7; 32]);
    let now = instant_from_ms(NOW_MS);
    let context = BillContext { store: StoreId(1), now, file: "f", pseudonyms: &pseudonyms, hints };
    let (mut rows, mut rejected) = (Vec::new(), Vec::new());
    let end = Spool::of(path, scratch.path(), None).and_then(|spool| {
        let format = recognise(&spool.head(HEAD_LINES_MAX)?)?;
        read_bill(&spool, format, &context, |line, _| {
            match line {
                Line::Row(row) => rows.push(*row),
                Line::Rejected(line) => rejected.push(line),
                Line::NotData(_) => {}
                other => panic!("{other:?}"),
            }
            Ok(())
        })
    });
    let end = end.map_err(|error| match error {
        SpoolError::Refused(refusal) => refusal,
        SpoolError::Io(error) => panic!("{}: {error}", path.display()),
    });
    Found { rows, rejected, end }
}

fn read_bytes(bytes: &[u8]) -> Found {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    read(file.path(), &FileHints::default())
}

fn refusal(bytes: impl AsRef<[u8]>) -> Refusal {
    read_bytes(bytes.as_ref()).end.unwrap_err()
}

fn fixture(name: &str) -> PathBuf {
    Path::new(FIXTURES).join(name)
}

fn text_of(name: &str) -> String {
    std::fs::read_to_string(fixture(name)).unwrap()
}

/// A shared sample, where they are at hand.
fn sample(name: &str) -> Option<Found> {
    let path = Path::new(SHARED).join(name);
    if !path.exists() {
        println!("skipped: ../shared is absent");
        return None;
    }
    Some(read(&path, &FileHints::default()))
}

/// What each row moves, signed.
fn nets(found: &Found) -> Vec<i64> {
    found.rows.iter().map(|row| row.net.unwrap()).collect()
}

fn attribute<'a>(row: &'a LedgerLine, key: &str) -> &'a str {
    row.attributes.iter().find(|(own, _)| own == key).map_or("", |(_, value)| value)
}

#[test]
fn a_camt_statement_gives_transfers_of_its_account() {
    let found = read(&fixture("synthetic_camt053.001.08_orders.xml"), &FileHints::default());
    let examined = found.end.as_ref().unwrap();
    assert_eq!((examined.provider, examined.totals), ("bank", TotalsCheck::Matched));
    assert_eq!((examined.lines.read, examined.lines.accepted, examined.lines.passed), (4, 3, 1));
    assert_eq!(nets(&found), [12_800, 11_380, -1_850]);
    let [order, payout, returned] = found.rows.as_slice() else { panic!("{:?}", found.rows) };
    assert_eq!(order.account, "DE00000000000000000000");
    assert_eq!((order.kind, order.direction), (LedgerKind::Transfer, Direction::In));
    assert_eq!(order.provider_transaction_id.as_deref(), Some("BANKREF0001"));
    assert_eq!(order.order_id.as_deref(), Some("SYNB0001"));
    assert_eq!(order.description.as_deref(), Some("Order SYNB0001 thank you"));
    assert_eq!(order.method.unwrap().to_string(), "bank_transfer");
    assert_eq!(order.source_day.unwrap().to_string(), "2026-11-20");
    assert!(order.updated_at.is_some() && order.fee.is_none());
    let customer = order.customer.as_ref().unwrap();
    assert_eq!(customer.len(), 32);
    assert!(!format!("{order:?}").contains("Synthetic Buyer"), "names are never kept in clear");
    assert_eq!(payout.order_id, None, "NOTPROVIDED is no reference");
    assert_eq!(payout.description.as_deref(), Some("TX00000000001XT batch 42, SynShop"));
    assert_eq!((returned.direction, attribute(returned, "reversal")), (Direction::Out, "true"));
    assert_eq!(attribute(returned, "return_reason"), "AC04");
}

#[test]
fn every_camt_sample_is_read_by_its_rule() {
    let Some(minimal) = sample("bank/camt053.v2.minimal.xml") else { return };
    assert_eq!(nets(&minimal), [885]);
    // The closing balance of this sample is of another currency.
    assert_eq!(minimal.end.unwrap().totals, TotalsCheck::NotComparable);
    let row = &minimal.rows[0];
    assert_eq!(
        (row.account.as_str(), row.order_id.as_deref()),
        ("NL26VAYB8060476890", Some("4654654654654654"))
    );
    assert_eq!(row.source_day.unwrap().to_string(), "2014-12-31");
    assert_eq!((attribute(row, "value_day"), attribute(row, "bank_code")), ("2015-01-02", "544"));
    assert!(row.customer.is_some() && row.provider_transaction_id.is_none() && row.line_id.len() == 32);

    let several = sample("bank/camt053.v2.multi.statement.xml").unwrap();
    assert_eq!(nets(&several), [885, -700]);
    let examined = several.end.unwrap();
    assert_eq!((examined.totals, examined.about.controls.len()), (TotalsCheck::Matched, 2));

    let named = sample("bank/camt053.v2.with-account-name.xml").unwrap();
    assert_eq!((nets(&named), named.end.unwrap().totals), (vec![885], TotalsCheck::NoSummary));

    for (name, day) in [
        ("bank/camt053.v4.xml", "2014-12-31T12:00:00+00:00"),
        ("bank/camt053.v8.xml", "2014-12-31T12:15:00+00:00"),
    ] {
        let found = sample(name).unwrap();
        // The only transaction says 0 of another currency: the entry's own amount counts.
        assert_eq!(nets(&found), [885], "{name}");
        let row = &found.rows[0];
        assert_eq!(row.posted_at.to_rfc3339(), day, "{name}");
        assert_eq!(row.provider_transaction_id.as_deref(), Some("AAAASESS-FP-CN_98765/01"));
        assert_eq!(found.end.unwrap().totals, TotalsCheck::NotComparable, "{name}");
    }
    let v8 = sample("bank/camt053.v8.xml").unwrap();
    assert_eq!(v8.rows[0].order_id.as_deref(), Some("MUELL/FINP/RA12345"));
    assert_eq!(attribute(&v8.rows[0], "structured_reference"), "4654654654654654");
}

#[test]
fn trap_five_decimals_are_exact_or_told() {
    if let Some(found) = sample("bank/camt053.v2.five.decimals.xml") {
        // 18.150 + 8.850 = 27.000, and the sample says 27.050.
        assert_eq!(nets(&found), [885]);
        let Err(Refusal::TotalsDiffer { printed, computed, .. }) = found.end else { panic!() };
        assert_eq!((printed.as_str(), computed.as_str()), ("27.05", "27"));
    }
    let text = text_of("synthetic_camt053.001.08_orders.xml");
    let long = text.replace("\"EUR\">128.00<", "\"EUR\">128.00000<");
    assert_eq!(nets(&read_bytes(long.as_bytes())), [12_800, 11_380, -1_850]);
    let part = text.replace("\"EUR\">128.00<", "\"EUR\">128.00125<").replace(">1223.30<", ">1223.30125<");
    let found = read_bytes(part.as_bytes());
    assert_eq!(found.rejected[0].code, RejectCode::TooManyDecimals);
    assert_eq!(nets(&found), [11_380, -1_850]);
    assert_eq!(found.end.unwrap().totals, TotalsCheck::Matched, "what was printed adds up exactly");
}

#[test]
fn a_statement_that_does_not_add_up_is_refused() {
    let text = text_of("synthetic_camt053.001.08_orders.xml").replace(">1223.30<", ">1223.31<");
    assert_eq!(refusal(&text).code(), "totals_differ");
    let text = text_of("synthetic_mt940_orders.sta").replace("1109,50", "1109,51");
    assert_eq!(refusal(&text).code(), "totals_differ");
    let text = text_of("synthetic_mt940_orders.sta").replace(":62F:C261120EUR1109,50", "");
    assert_eq!(refusal(&text), Refusal::SummaryMissing);
    let text = text_of("synthetic_camt053.001.08_orders.xml");
    assert_eq!(refusal(&text.as_bytes()[..text.len() - 60]), Refusal::CutOff);
    let nameless = text.replace("<IBAN>DE00000000000000000000</IBAN>", "");
    assert_eq!(refusal(&nameless).code(), "statement_incomplete");
    let sibling = text.replace("BkToCstmrStmt", "BkToCstmrAcctRpt");
    assert_eq!(refusal(&sibling), Refusal::OtherReport("camt.052"));
}

/// An entry of two transactions of these amounts.
fn batch(amount: &str, first: &str, second: &str) -> Found {
    let detail = |id: &str, amount: &str| {
        format!(
            "<TxDtls><Refs><EndToEndId>{id}</EndToEndId></Refs>{amount}<RltdPties><Dbtr><Nm>N{id}</Nm></Dbtr></RltdPties></TxDtls>"
        )
    };
    let text = format!(
        "<Document><BkToCstmrStmt><Stmt><Acct><Id><IBAN>A1</IBAN></Id></Acct><Ntry><Amt Ccy=\"EUR\">{amount}</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts>BOOK</Sts><BookgDt><Dt>2026-11-20</Dt></BookgDt><AcctSvcrRef>B1</AcctSvcrRef><NtryDtls>{}{}</NtryDtls></Ntry></Stmt></BkToCstmrStmt></Document>",
        detail("E1", first),
        detail("E2", second)
    );
    read_bytes(text.as_bytes())
}

#[test]
fn trap_a_batch_is_divided_only_where_its_parts_add_up() {
    let found =
        batch("10", "<Amt Ccy=\"EUR\">4</Amt>", "<AmtDtls><TxAmt><Amt Ccy=\"EUR\">6</Amt></TxAmt></AmtDtls>");
    assert_eq!(nets(&found), [400, 600]);
    assert_eq!(found.rows[0].order_id.as_deref(), Some("E1"));
    assert_eq!((found.rows[0].line_number, found.rows[1].line_number), (Some(1), Some(1)));
    assert_ne!(found.rows[0].line_id, found.rows[1].line_id, "one reference, two lines");
    assert_ne!(found.rows[0].customer, found.rows[1].customer);
    for (first, second) in [
        ("<Amt Ccy=\"EUR\">4</Amt>", "<Amt Ccy=\"EUR\">5</Amt>"),
        ("<Amt Ccy=\"EUR\">0</Amt>", "<Amt Ccy=\"EUR\">0</Amt>"),
        ("<Amt Ccy=\"SEK\">4</Amt>", "<Amt Ccy=\"SEK\">6</Amt>"),
        ("", ""),
    ] {
        let found = batch("10", first, second);
        assert_eq!(nets(&found), [1_000], "{first}");
        assert_eq!((found.rows[0].order_id.as_deref(), attribute(&found.rows[0], "batch")), (None, "2"));
    }
    let mixed = "<CdtDbtInd>DBIT</CdtDbtInd>";
    let found = batch("10", "<Amt Ccy=\"EUR\">12</Amt>", &format!("<Amt Ccy=\"EUR\">2</Amt>{mixed}"));
    assert_eq!(nets(&found), [1_200, -200]);
}

#[test]
fn trap_xml_bombs_are_refused_by_named_limits() {
    let text = text_of("synthetic_camt053.001.08_orders.xml");
    let with = |inside: &str| text.replace("<NtryRef>1</NtryRef>", inside);
    let fault = |text: String| match refusal(text) {
        Refusal::Xml(fault) => fault,
        other => panic!("{other:?}"),
    };
    let doctype = text.replace("<Document", "<!DOCTYPE lolz [<!ENTITY lol \"lol\">]><Document");
    assert_eq!(fault(doctype), XmlFault::Doctype);
    assert_eq!(fault(with("<NtryRef>&lol;</NtryRef>")), XmlFault::Entity);
    assert!(matches!(fault(with(&"<x>".repeat(100))), XmlFault::Depth(_)));
    let flood = " a=\"\"".repeat(100);
    assert!(matches!(fault(with(&format!("<x{flood}/>"))), XmlFault::Attributes(_)));
    let huge = "a".repeat(2 << 20);
    assert!(matches!(fault(with(&format!("<x>{huge}</x>"))), XmlFault::Piece(_)));
    assert!(matches!(fault(with(&format!("<x a=\"{huge}\"/>"))), XmlFault::Piece(_)));
    assert!(matches!(fault(with(&format!("<!--{huge}-->"))), XmlFault::Piece(_)));
    assert_eq!(fault(with("<x></y>")), XmlFault::Broken);
    let plain = with("<NtryRef>&amp;&#65;<![CDATA[<b>]]></NtryRef>");
    assert_eq!(attribute(&read_bytes(plain.as_bytes()).rows[0], "entry"), "&A<b>");
    for refusal in [
        Refusal::Xml(XmlFault::Doctype),
        Refusal::Xml(XmlFault::Depth(64)),
        Refusal::Xml(XmlFault::Piece(1 << 18)),
    ] {
        assert!(refusal.sentence_en().ends_with("again.") && refusal.sentence_zh().ends_with("。"));
    }
}

#[test]
fn trap_an_xml_file_is_read_in_the_encoding_it_names() {
    let text = text_of("synthetic_camt053.001.08_orders.xml")
        .replace("UTF-8", "ISO-8859-1")
        .replace("thank you", "f\u{fc}r Z\u{fc}rich");
    let bytes = encoding_rs::WINDOWS_1252.encode(&text).0;
    let found = read_bytes(&bytes);
    assert_eq!(found.rows[0].description.as_deref(), Some("Order SYNB0001 f\u{fc}r Z\u{fc}rich"));
}

#[test]
fn an_mt940_statement_gives_transfers_of_its_account() {
    let found = read(&fixture("synthetic_mt940_orders.sta"), &FileHints::default());
    assert_eq!(found.end.as_ref().unwrap().totals, TotalsCheck::Matched);
    assert_eq!(nets(&found), [12_800, -1_850]);
    let [order, returned] = found.rows.as_slice() else { panic!() };
    assert_eq!(order.order_id.as_deref(), Some("SYNB0001"));
    assert_eq!(order.provider_transaction_id.as_deref(), Some("BANKREF0001"));
    assert_eq!(order.description.as_deref(), Some("Order SYNB0001"));
    assert!(order.customer.is_some() && !format!("{order:?}").contains("Synthetic Buyer"));
    assert_eq!(returned.order_id.as_deref(), Some("SYNB0000"));
    assert_eq!((attribute(returned, "reversal"), attribute(returned, "bank_code")), ("true", "NRTI/159"));
}

#[test]
fn every_mt940_sample_is_read_by_its_rule() {
    let Some(sepa) = sample("bank/mt940_betterplace_sepa_mt9401.sta") else { return };
    let examined = sepa.end.as_ref().unwrap();
    assert_eq!(examined.totals, TotalsCheck::Matched, "every balance of every statement");
    assert!(sepa.rejected.is_empty(), "{:?}", sepa.rejected);
    let text =
        std::fs::read_to_string(Path::new(SHARED).join("bank/mt940_betterplace_sepa_mt9401.sta")).unwrap();
    assert_eq!(sepa.rows.len(), text.matches("\n:61:").count());
    assert_eq!(&nets(&sepa)[..7], [30_000, 33_533, 1_500_000, 6_629_508, 91_531_155, -20_488, -99_994_695]);
    assert_eq!(sepa.rows[0].account, "50880050/0194774600888");
    assert_eq!(sepa.rows[0].order_id.as_deref(), Some("TFNR 40005 00005"));
    assert_eq!(attribute(&sepa.rows[0], "return_reason"), "914");

    let rabobank = sample("bank/mt940_jejik_rabobank-iban.sta").unwrap();
    assert_eq!(nets(&rabobank), [-2_500, -1_000, -2_500, -1_000]);
    assert_eq!(rabobank.end.as_ref().unwrap().about.controls.len(), 2);
    assert_eq!(rabobank.rows[1].description.as_deref(), Some("Reference 201301234"));
    assert!(
        !format!("{:?}", rabobank.rows).contains("JOHN") && !format!("{:?}", rabobank.rows).contains("ABNA")
    );

    let sberbank = sample("bank/mt940_sberbank_171011_01234945.sta").unwrap();
    assert_eq!(nets(&sberbank), [-240_200, -346_000, -357_500]);
    assert_eq!(sberbank.end.unwrap().totals, TotalsCheck::Matched);

    let february = sample("bank/mt940_self-provided_february_30.sta").unwrap();
    assert_eq!((nets(&february), february.rows[0].kind), (vec![-600], LedgerKind::Fee));
    assert_eq!(february.rows[0].source_day.unwrap().to_string(), "2016-03-01");
    assert_eq!(attribute(&february.rows[0], "value_day"), "2016-02-29");
    assert_eq!(february.end.unwrap().totals, TotalsCheck::Matched);
}

#[test]
fn mt940_samples_that_were_cut_are_read_and_then_refused() {
    let Some(abn) = sample("bank/mt940_jejik_abnamro.sta") else { return };
    // Their authors left lines out, so the balances do not fit what is left.
    assert_eq!(nets(&abn), [-900, -1_159, -1_163, -1_180, -1_345, -1_549, -10_700, -14_148]);
    let Err(Refusal::TotalsDiffer { printed, computed, .. }) = abn.end else { panic!() };
    assert_eq!((printed.as_str(), computed.as_str()), ("876.84", "2914.84"));
    let ing = sample("bank/mt940_jejik_ing.sta").unwrap();
    assert_eq!(nets(&ing), [-2_503, -303, -111, -2_000, -110, 368, 100]);
    assert_eq!(ing.end.unwrap_err().code(), "totals_differ");
    for name in ["bank/mt940_self-provided_sparkassen.sta", "bank/mt940_betterplace_amount_formats.sta"] {
        let found = sample(name).unwrap();
        assert!(found.rows.is_empty());
        assert!(
            matches!(found.end.unwrap_err().code(), "statement_incomplete" | "summary_missing"),
            "{name}"
        );
    }
}

#[test]
fn trap_wrappers_blank_lines_and_wrapped_tags_do_no_harm() {
    let text = text_of("synthetic_mt940_orders.sta").replace("\r\n", "\n");
    let plain = read_bytes(text.as_bytes());
    let wrapped = format!(
        "{{1:F01BANKDEFFXXXX0000000000}}{{2:I940XXXXN}}{{4:\n{}",
        text.replace("\n-", "\n-}{5:{CHK:0}}")
    );
    let blank = text.replace('\n', "\n\n");
    let broken = text.replace(":86:166", ":\n86:166").replace("CR128,00NTRF", "CR\n128,00NTRF");
    for other in [wrapped, blank, broken, format!("\u{feff}{text}"), text.replace('\n', "\r\n")] {
        assert_eq!(read_bytes(other.as_bytes()).rows.len(), 2, "{other}");
        let rows = read_bytes(other.as_bytes()).rows;
        assert!(rows.iter().zip(&plain.rows).all(|(row, own)| row.line_id == own.line_id), "{other}");
    }
    let statement = text.replace("EUR", "CNY");
    let latin = statement.replace("Order SYNB0001", "Stra\u{df}e f\u{fc}r");
    let found = read_bytes(&encoding_rs::WINDOWS_1252.encode(&latin).0);
    assert_eq!(found.rows[0].description.as_deref(), Some("Stra\u{df}e f\u{fc}r"));
    let chinese = statement.replace("Order SYNB0001", "货款");
    let found = read_bytes(&encoding_rs::GB18030.encode(&chinese).0);
    assert_eq!(found.rows[0].description.as_deref(), Some("货款"));
}

#[test]
fn identical_bookings_without_a_reference_are_two() {
    let line = ":61:2611201120C5,NTRFNONREF\n:86:coffee\n";
    let text = format!(":20:A\n:25:1\n:60F:C261120EUR0,\n{line}{line}:62F:C261120EUR10,\n-\n");
    let found = read_bytes(text.as_bytes());
    assert_eq!(nets(&found), [500, 500]);
    assert_ne!(found.rows[0].line_id, found.rows[1].line_id);
    let again = read_bytes(text.as_bytes());
    assert!(found.rows == again.rows, "twice gives identical rows");
}

#[test]
fn a_card_number_in_a_text_is_not_kept_but_the_money_is() {
    let text = text_of("synthetic_mt940_orders.sta").replace("Order SYNB0001", "card 4111111111111111");
    let found = read_bytes(text.as_bytes());
    assert_eq!((nets(&found).len(), found.rows[0].description.as_deref()), (2, None));
    assert!(!format!("{:?}", found.rows).contains("4111"));
    let text = text_of("synthetic_mt940_orders.sta")
        .replace("Order SYNB0001", "from DE89370400440532013000 order 7");
    assert_eq!(read_bytes(text.as_bytes()).rows[0].description.as_deref(), Some("from ••• order 7"));
}

/// Whole statements in two files are the same rows as in one, in any order.
#[test]
fn statements_in_halves_and_in_any_order_are_the_same_rows() {
    let Some(whole) = sample("bank/mt940_betterplace_sepa_mt9401.sta") else { return };
    let text =
        std::fs::read_to_string(Path::new(SHARED).join("bank/mt940_betterplace_sepa_mt9401.sta")).unwrap();
    let at = text.match_indices("\n-\n").nth(5).unwrap().0 + 3;
    let mut rows = Vec::new();
    for half in [&text[at..], &text[..at], &text[..at]] {
        let found = read_bytes(half.as_bytes());
        assert!(found.end.is_ok());
        rows.extend(found.rows);
    }
    let told = |rows: &[LedgerLine]| {
        let mut told: Vec<_> =
            rows.iter().map(|row| (row.account.clone(), row.line_id.clone(), row.net)).collect();
        told.sort();
        told.dedup();
        told
    };
    assert_eq!(told(&rows), told(&whole.rows));
    assert_eq!(told(&whole.rows).len(), whole.rows.len());
}

fn trongrid() -> String {
    text_of("synthetic_trongrid_trc20_edge_cases.json")
}

#[test]
fn trap_only_the_official_contract_is_money() {
    let found = read(&fixture("synthetic_trongrid_trc20_edge_cases.json"), &FileHints::default());
    let examined = found.end.as_ref().unwrap();
    assert_eq!((examined.provider, examined.lines.read, examined.lines.passed), ("trc20", 5, 2));
    assert!(examined.about.variant.contains("more pages follow"));
    assert_eq!(nets(&found), [128_000_000, -28_000_000, 1]);
    let kinds: Vec<_> = found.rows.iter().map(|row| (row.kind, row.direction)).collect();
    assert_eq!(
        kinds,
        [
            (LedgerKind::Payment, Direction::In),
            (LedgerKind::Transfer, Direction::Out),
            (LedgerKind::Payment, Direction::In)
        ]
    );
    let row = &found.rows[0];
    assert_eq!((row.account.as_str(), row.currency.code()), ("TSYNshop0000000000000000000000000B", "USDT"));
    assert_eq!(row.posted_at.to_rfc3339(), "2026-11-20T00:00:00+00:00");
    assert_eq!(row.method.unwrap().to_string(), "usdt");
    assert!(!format!("{row:?}").contains("TSYNbuyer"), "addresses of others are never kept in clear");
    assert_eq!(found.rows[0].customer, found.rows[1].customer);
}

#[test]
fn trap_a_value_beyond_64_bits_is_told() {
    let text = trongrid().replace("\"128000000\"", "\"99999999999999999999999999\"");
    let found = read_bytes(text.as_bytes());
    assert_eq!(found.rejected[0].code, RejectCode::AmountOutOfRange);
    assert_eq!(nets(&found), [-28_000_000, 1]);
    let text = trongrid().replace("\"128000000\"", "\"-5\"");
    assert_eq!(read_bytes(text.as_bytes()).rejected[0].code, RejectCode::NotAnAmount);
    let text = trongrid().replacen("\"decimals\": 6", "\"decimals\": 18", 1);
    assert_eq!(read_bytes(text.as_bytes()).rejected[0].code, RejectCode::UnknownCurrency);
    let text = trongrid().replace("\"128000000\"", "\"0\"");
    assert_eq!(nets(&read_bytes(text.as_bytes())), [-28_000_000, 1], "a transfer of nothing is none");
}

#[test]
fn trap_one_transaction_may_hold_several_transfers() {
    let a = "a".repeat(64);
    let text = trongrid().replace(&"c".repeat(64), &a).replace(&"d".repeat(64), &a);
    let found = read_bytes(text.as_bytes());
    let mut ids: Vec<_> = found.rows.iter().map(|row| row.line_id.clone()).collect();
    ids.dedup();
    assert_eq!(ids.len(), 3);
    assert!(ids.iter().all(|id| id.starts_with(&a)));
    // Pages one behind the other, the second told twice: the same rows again.
    let pages = format!("{text}\n{text}");
    let twice = read_bytes(pages.as_bytes());
    assert_eq!(twice.rows.len(), 6);
    assert!(
        found
            .rows
            .iter()
            .all(|row| twice.rows.iter().filter(|other| other.line_id == row.line_id).count() == 2)
    );
}

#[test]
fn whose_address_it_is_is_never_guessed() {
    let one = |from: &str, to: &str| {
        format!(
            "{{\"data\":[{{\"transaction_id\":\"t\",\"token_info\":{{\"address\":\"TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t\",\"decimals\":6}},\"block_timestamp\":1795132800000,\"from\":\"{from}\",\"to\":\"{to}\",\"type\":\"Transfer\",\"value\":\"5\"}}],\"success\":true,\"meta\":{{}}}}"
        )
    };
    assert_eq!(refusal(one("TA", "TB")), Refusal::OwnAddressUnknown);
    assert_eq!(refusal(format!("{}{}", one("TA", "TB"), one("TC", "TD"))), Refusal::OwnAddressUnknown);
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(one("TA", "TB").as_bytes()).unwrap();
    let hints = FileHints { account: Some("TB".to_owned()), ..FileHints::default() };
    assert_eq!(nets(&read(file.path(), &hints)), [5]);
    let hints = FileHints { account: Some("TX".to_owned()), ..FileHints::default() };
    assert_eq!(read(file.path(), &hints).end.unwrap_err(), Refusal::OwnAddressUnknown);
}

#[test]
fn answers_that_are_none_are_refused() {
    let failed = trongrid().replace("\"success\": true", "\"success\": false");
    assert_eq!(refusal(failed), Refusal::ErrorAnswer);
    let text = trongrid();
    assert_eq!(refusal(&text[..text.len() - 40]), Refusal::CutOff);
    assert_eq!(refusal(text.replace("\"from\"", "from")).code(), "json_broken");
    let long = text.replace("\"TSYNscam", &format!("\"{}", "a".repeat(1 << 20)));
    assert_eq!(refusal(long).code(), "json_broken");
    let empty = "{\"data\":[],\"success\":true,\"meta\":{\"at\":1,\"page_size\":0}}";
    assert!(read_bytes(empty.as_bytes()).rows.is_empty() && read_bytes(empty.as_bytes()).end.is_ok());
}
