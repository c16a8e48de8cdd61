//! Stripe, Adyen, PayPal and Hyperswitch: quoted CSV, columns by name.

use super::*;
use crate::domain::{FailureClass, Transaction};

fn lines(text: &str) -> Result<(Examined, Vec<Line>), Refusal> {
    hinted(text, &FileHints::default())
}

fn hinted(text: &str, hints: &FileHints) -> Result<(Examined, Vec<Line>), Refusal> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    lines_of(file.path(), hints)
}

fn ledger(lines: Vec<Line>) -> Vec<LedgerLine> {
    let row = |line| match line {
        Line::Row(row) | Line::Witness(row) => Some(*row),
        Line::Rejected(line) => panic!("{line:?}"),
        Line::Transaction(_) | Line::NotData(_) => None,
    };
    lines.into_iter().filter_map(row).collect()
}

fn attempts(lines: Vec<Line>) -> Vec<Transaction> {
    let row = |line| match line {
        Line::Transaction(row) => Some(*row),
        Line::Rejected(line) => panic!("{line:?}"),
        Line::Row(_) | Line::Witness(_) | Line::NotData(_) => None,
    };
    lines.into_iter().filter_map(row).collect()
}

fn rejected(lines: &[Line]) -> Vec<(u64, RejectCode)> {
    let bad = |line: &Line| match line {
        Line::Rejected(line) => Some((line.line, line.code)),
        _ => None,
    };
    lines.iter().filter_map(bad).collect()
}

fn stripe() -> String {
    text_of("synthetic_payout_reconciliation_itemized.csv")
}

fn adyen() -> String {
    text_of("synthetic_settlement_detail_multi_currency.csv")
}

/// Kind, direction, gross, fee, net.
type Told = (LedgerKind, Direction, i64, Option<i64>, Option<i64>);

fn told(rows: &[LedgerLine]) -> Vec<Told> {
    rows.iter().map(|row| (row.kind, row.direction, row.gross, row.fee, row.net)).collect()
}

#[test]
fn a_stripe_payout_reconciliation_becomes_ledger_lines() {
    use Direction::{In, Out};
    let (examined, lines) = lines(&stripe()).unwrap();
    assert_eq!((examined.provider, examined.about.zone.as_str()), ("stripe", "UTC"));
    assert_eq!(examined.totals, TotalsCheck::NoSummary);
    let rows = ledger(lines);
    assert_eq!(
        told(&rows),
        [
            (LedgerKind::Payment, In, 12_800, Some(401), Some(12_399)),
            (LedgerKind::Refund, Out, 2_800, Some(0), Some(-2_800)),
            (LedgerKind::Payment, In, 1_234, Some(66), Some(1_168)),
            (LedgerKind::Dispute, Out, 1_200, Some(1_500), Some(-2_700)),
            (LedgerKind::Fee, Out, 50, Some(0), Some(-50)),
        ]
    );
    assert_eq!(rows.iter().map(|row| row.net.unwrap()).sum::<i64>(), 8_017);
    assert!(rows.iter().all(|row| row.payout_id.as_deref() == Some("po_syn_1")));
    assert!(rows.iter().all(|row| row.currency.code() == "USD" && row.account == "default"));
    assert_eq!(rows[0].order_id.as_deref(), Some("SYNS0001"));
    assert_eq!(rows[0].posted_at.to_rfc3339(), "2026-11-20T00:00:00+00:00");
    assert_eq!(rows[1].provider_transaction_id.as_deref(), Some("re_syn_1"));
    assert_eq!(rows[1].parent_transaction_id.as_deref(), Some("ch_syn_1"));
    assert!(rows[2].attributes.contains(&("customer_amount".into(), "10.00".into())));
    assert!(rows[2].attributes.contains(&("customer_currency".into(), "EUR".into())));
    assert_eq!(rows[2].method_detail.card_brand.as_deref(), Some("mastercard"));
}

#[test]
fn trap_account_level_fee_rows_have_no_order() {
    let stripe = ledger(lines(&stripe()).unwrap().1).pop().unwrap();
    let adyen = ledger(lines(&adyen()).unwrap().1).remove(5);
    for row in [stripe, adyen] {
        assert_eq!(
            (row.kind, row.order_id, row.provider_transaction_id.is_some()),
            (LedgerKind::Fee, None, row.provider == Some(crate::domain::Word::of("adyen")))
        );
    }
}

#[test]
fn trap_payouts_are_no_revenue() {
    let with = format!(
        "{}po_syn_1,,txn_syn_9,2026-11-23 00:00:00,,usd,-80.17,0.00,-80.17,payout,po_syn_1,STRIPE PAYOUT,,,,,,,,,\n",
        stripe()
    );
    let payout = ledger(lines(&with).unwrap().1).pop().unwrap();
    assert_eq!((payout.kind, payout.direction, payout.gross), (LedgerKind::Payout, Direction::Out, 8_017));
    let adyen = ledger(lines(&adyen()).unwrap().1).pop().unwrap();
    assert_eq!((adyen.kind, adyen.direction, adyen.gross), (LedgerKind::Payout, Direction::Out, 11_380));
}

#[test]
fn trap_utc_and_local_twins_of_a_time() {
    let local = stripe().replace("created_utc", "created");
    let (examined, read) = lines(&local).unwrap();
    assert_eq!(examined.about.zone, "UTC", "the report's own default, and the page says it");
    assert_eq!(told(&ledger(read)).len(), 5);
    let hints = FileHints { account: Some("acct_1".into()), zone: Some(chrono_tz::America::New_York) };
    let (examined, read) = hinted(&local, &hints).unwrap();
    let row = ledger(read).remove(0);
    assert_eq!((examined.about.zone.as_str(), row.account.as_str()), ("America/New_York", "acct_1"));
    assert_eq!(row.posted_at.to_rfc3339(), "2026-11-20T05:00:00+00:00");
    let both = stripe().replace("available_on_utc", "created");
    let row = ledger(hinted(&both, &hints).unwrap().1).remove(0);
    assert_eq!(row.posted_at.to_rfc3339(), "2026-11-20T00:00:00+00:00", "UTC is certain");
}

#[test]
fn stripe_amounts_have_the_decimals_of_their_currency() {
    let head = "balance_transaction_id,created_utc,currency,gross,fee,net,reporting_category\n";
    for (row, gross) in [
        ("t,2026-11-20 00:00:00,jpy,5000,180,4820,charge", Ok(5_000)),
        ("t,2026-11-20 00:00:00,JPY,5000.00,180.00,4820.00,charge", Ok(5_000)),
        ("t,2026-11-20 00:00:00,kwd,5.120,0.120,5.000,charge", Ok(5_120)),
        ("t,2026-11-20 00:00:00,isk,100,3,97,charge", Ok(100)),
        ("t,2026-11-20 00:00:00,jpy,5000.50,0,5000.50,charge", Err(RejectCode::TooManyDecimals)),
        ("t,2026-11-20 00:00:00,usd,1.005,0,1.005,charge", Err(RejectCode::TooManyDecimals)),
        ("t,2026-11-20 00:00:00,usd,10.00,1.00,8.00,charge", Err(RejectCode::DoesNotAddUp)),
        ("t,2026-11-20 00:00:00,usd,99999999999999999.00,0,0,charge", Err(RejectCode::AmountOutOfRange)),
        ("t,2026-11-20 00:00:00,xxx,1.00,0,1.00,charge", Err(RejectCode::UnknownCurrency)),
        ("=1+1,2026-11-20 00:00:00,usd,1.00,0,1.00,charge", Err(RejectCode::Formula)),
        ("t\u{1},2026-11-20 00:00:00,usd,1.00,0,1.00,charge", Err(RejectCode::ControlCharacter)),
        ("t,2026-11-20 00:00:00,usd,1.00,0", Err(RejectCode::ColumnCount)),
    ] {
        let found = lines(&format!("{head}{row}\n")).unwrap().1;
        match gross {
            Ok(gross) => assert_eq!(ledger(found)[0].gross, gross, "{row}"),
            Err(code) => assert_eq!(rejected(&found), [(2, code)], "{row}"),
        }
    }
}

#[test]
fn stripe_categories_keep_their_sign() {
    use Direction::{In, Out};
    let head = "id,Type,Source,Amount,Fee,Net,Currency,Created (UTC),Description\n";
    for (category, source, amount, kind, direction) in [
        ("charge_failure", "py_1", "-5.00", LedgerKind::Payment, Out),
        ("refund_failure", "re_1", "5.00", LedgerKind::Refund, In),
        ("dispute_reversal", "dp_1", "5.00", LedgerKind::Dispute, In),
        ("adjustment", "dp_1", "-5.00", LedgerKind::Dispute, Out),
        ("adjustment", "", "-5.00", LedgerKind::Adjustment, Out),
        ("payout_failure", "po_1", "5.00", LedgerKind::Payout, In),
        ("stripe_fee", "", "-5.00", LedgerKind::Fee, Out),
        ("topup", "tu_1", "5.00", LedgerKind::Transfer, In),
        ("something_new", "", "5.00", LedgerKind::Adjustment, In),
    ] {
        let text =
            format!("{head}txn_1,{category},{source},{amount},0.00,{amount},usd,2026-11-20 09:15,\"a, b\"\n");
        let row = ledger(lines(&text).unwrap().1).remove(0);
        assert_eq!((row.kind, row.direction, row.gross), (kind, direction, 500), "{category}");
    }
}

#[test]
fn a_stripe_payments_export_tells_of_attempts_and_why_they_failed() {
    let text = "id,Description,Seller Message,Created date (UTC),Amount,Amount Refunded,Currency,Fee,Converted Currency,Mode,Status,Customer ID,Customer Email,Card Brand,Card Funding,Decline Reason,order_id (metadata)\n\
        ch_1,Order 1,Payment complete.,2026-11-20 00:00,128.00,0.00,usd,4.01,usd,Live,Paid,cus_1,a@example.com,Visa,credit,,S1\n\
        ch_2,Order 2,The bank declined,2026-11-20 00:01,10.00,0.00,eur,0.50,usd,Live,Failed,cus_1,a@example.com,Visa,credit,insufficient_funds,S2\n\
        ch_3,Order 3,,2026-11-20 00:02,28.00,28.00,usd,,usd,Test,Refunded,,,,,,\n";
    let (examined, read) = lines(text).unwrap();
    assert_eq!((examined.lines.transactions, examined.about.variant.as_str()), (3, "payments"));
    let rows = attempts(read);
    assert_eq!(
        (rows[0].status, rows[0].fee, rows[0].order_id.as_deref()),
        (Status::Succeeded, Some(401), Some("S1"))
    );
    assert_eq!((rows[1].status, rows[1].fee), (Status::Failed, None));
    assert_eq!(rows[1].failure_code.as_deref(), Some("insufficient_funds"));
    assert_eq!(rows[1].failure_class, Some(FailureClass::Customer));
    assert_eq!((rows[2].status, rows[2].test), (Status::Succeeded, true));
    assert_eq!(rows[0].customer, rows[1].customer);
    assert!(!format!("{rows:?}").contains("example.com"));
    assert!(examined.about.unread_columns.contains(&"CustomerEmail".to_owned()));
}

#[test]
fn an_adyen_settlement_report_becomes_ledger_lines() {
    use Direction::{In, Out};
    let (examined, read) = lines(&adyen()).unwrap();
    assert_eq!((examined.provider, examined.about.variant.as_str()), ("adyen", "settlement details"));
    let rows = ledger(read);
    assert_eq!(
        told(&rows),
        [
            (LedgerKind::Payment, In, 12_800, Some(160), Some(12_640)),
            (LedgerKind::Payment, In, 5_000, None, None),
            (LedgerKind::Payment, In, 5_120, None, None),
            (LedgerKind::Refund, Out, 2_800, Some(10), Some(-2_810)),
            (LedgerKind::Dispute, Out, 2_000, Some(750), Some(-2_750)),
            (LedgerKind::Fee, Out, 180, None, Some(-180)),
            (LedgerKind::Payout, Out, 11_380, None, Some(-11_380)),
        ]
    );
    let codes: Vec<_> = rows.iter().map(|row| row.currency.code()).collect();
    assert_eq!(codes, ["EUR", "JPY", "KWD", "EUR", "EUR", "EUR", "EUR"]);
    assert_eq!(
        rows.iter().map(|row| row.settle_amount.unwrap()).sum::<i64>(),
        0,
        "the batch comes to nothing"
    );
    assert!(rows.iter().all(|row| row.settle_currency.unwrap().code() == "EUR"));
    assert_eq!(rows[1].exchange_rate.as_deref(), Some("0.006"));
    assert!(rows[1].attributes.contains(&("settle_fee".into(), "60".into())));
    assert_eq!(rows[0].posted_at.to_rfc3339(), "2026-11-18T09:00:00+00:00");
    assert_eq!((rows[0].account.as_str(), rows[0].payout_id.as_deref()), ("SynShop", Some("42")));
    assert_eq!(rows[0].method_detail.funding.as_deref(), Some("credit"));
    assert_eq!(rows[3].provider_transaction_id.as_deref(), Some("SYNM000000000004"));
    assert_eq!(rows[3].parent_transaction_id.as_deref(), Some("SYN0000000000001"));
    assert_eq!(rows[2].method.unwrap().as_str(), "knet");
}

#[test]
fn adyen_rows_without_a_payment_may_be_identical_and_are_two() {
    let text = adyen();
    let fee = text.lines().find(|line| line.contains(",Fee,")).unwrap().to_owned();
    let rows = ledger(lines(&format!("{text}{fee}\n")).unwrap().1);
    let ids: std::collections::BTreeSet<_> = rows.iter().map(|row| row.line_id.clone()).collect();
    assert_eq!((rows.len(), ids.len()), (8, 8));
}

#[test]
fn an_adyen_payment_printed_under_debit_is_still_a_payment() {
    let text = adyen().replace("EUR,,128.00,1,EUR,,126.40", "EUR,128.00,,1,EUR,,126.40");
    let row = ledger(lines(&text).unwrap().1).remove(0);
    assert_eq!(
        (row.direction, row.gross, row.fee, row.net),
        (Direction::In, 12_800, Some(160), Some(12_640))
    );
    let unclear = adyen().replace(",CET,", ",IST,");
    assert_eq!(rejected(&lines(&unclear).unwrap().1).len(), 7);
    assert_eq!(rejected(&lines(&unclear).unwrap().1)[0].1, RejectCode::UnknownZone);
}

#[test]
fn an_adyen_accounting_report_tells_of_failures() {
    let text = "Company Account,Merchant Account,Psp Reference,Merchant Reference,Payment Method,Booking Date,TimeZone,Main Currency,Main Amount,Record Type,Payment Currency,Received (PC),Authorised (PC),Captured (PC),Settlement Currency,Payable (SC),Commission (SC),Markup (SC),Scheme Fees (SC),Interchange (SC),Acquirer Response,Modification Psp Reference\n\
        C,Shop,P1,O1,visa,2026-11-20 10:00:00,CET,EUR,10.00,Received,EUR,10.00,,,,,,,,,,\n\
        C,Shop,P1,O1,visa,2026-11-20 10:00:01,CET,EUR,10.00,Refused,EUR,-10.00,,,,,,,,,DECLINED,\n\
        C,Shop,P2,O2,mc,2026-11-20 10:00:02,CET,EUR,20.00,Authorised,EUR,-20.00,20.00,,,,,,,,,\n\
        C,Shop,P2,O2,mc,2026-11-20 10:00:03,CET,,,SentForSettle,EUR,,-20.00,20.00,,,,,,,,P2\n\
        C,Shop,P2,O2,mc,2026-11-22 10:00:03,CET,,,Settled,EUR,,,-20.00,EUR,19.70,,0.10,0.10,0.10,,M2\n";
    let (examined, read) = lines(text).unwrap();
    assert_eq!((examined.lines.transactions, examined.lines.witnesses, examined.lines.passed), (2, 1, 2));
    let rows = attempts(read.clone());
    assert_eq!((rows[0].status, rows[0].amount.minor()), (Status::Failed, 1_000));
    assert_eq!(
        (rows[0].failure_code.as_deref(), rows[0].failure_message.as_deref()),
        (Some("Refused"), Some("DECLINED"))
    );
    assert_eq!(
        (rows[1].status, rows[1].amount.minor(), rows[1].transaction_id.as_str()),
        (Status::Succeeded, 2_000, "P2")
    );
    let settled = ledger(read).remove(0);
    assert_eq!((settled.gross, settled.fee, settled.net), (2_000, Some(30), Some(1_970)));
}

#[test]
fn a_hyperswitch_report_has_a_row_for_every_attempt() {
    let (examined, read) = lines(&text_of("synthetic_payments_report.csv")).unwrap();
    assert_eq!((examined.provider, examined.lines.transactions), ("hyperswitch", 2));
    let rows = attempts(read);
    let status: Vec<_> =
        rows.iter().map(|row| (row.status, row.attempt, row.provider.unwrap().to_string())).collect();
    assert_eq!(
        status,
        [(Status::Failed, Some(1), "stripe".into()), (Status::Succeeded, Some(2), "adyen".into())]
    );
    assert!(
        rows.iter().all(|row| row.amount.minor() == 12_800 && row.payment_id.as_deref() == Some("pay_syn_1"))
    );
    assert_eq!(rows[0].failure_code.as_deref(), Some("card_declined"));
    assert_eq!(
        rows[1].provider_transaction_id.as_deref(),
        Some("SYN0000000000001"),
        "joins with Adyen's own file"
    );
    assert_eq!(rows[1].aggregator.unwrap().as_str(), "hyperswitch");
    assert!(rows.iter().all(|row| row.order_id.as_deref() == Some("SYNH0001") && row.fee.is_none()));
}

/// A settlement report of PayPal with these body rows.
fn paypal(rows: &[&str]) -> String {
    let head = "\"RH\",2026/11/21 02:44:19 -0800,\"A\",\"ACCOUNT1\",009\n\"FH\",01\n\"SH\",2026/11/20 00:00:00 -0800,2026/11/20 23:59:59 -0800,\"ACCOUNT1\",\"\"\n\"CH\",\"Transaction ID\",\"Invoice ID\",\"PayPal Reference ID\",\"PayPal Reference ID Type\",\"Transaction Event Code\",\"Transaction Initiation Date\",\"Transaction Completion Date\",\"Transaction Debit or Credit\",\"Gross Transaction Amount\",\"Gross Transaction Currency\",\"Fee Debit or Credit\",\"Fee Amount\",\"Fee Currency\",\"Custom Field\",\"Consumer ID\",\"Store ID\"\n";
    let count = rows.len();
    format!(
        "{head}{}\n\"SF\",\"USD\",1,2,3\n\"SC\",{count}\n\"RF\",\"USD\",1,2,3\n\"RC\",{count}\n\"FF\",{count}\n",
        rows.join("\n")
    )
}

const PAID: &str = "\"SB\",\"T1\",\"INV-1\",\"\",\"\",\"T0006\",2026/11/20 00:00:30 -0800,2026/11/20 00:00:31 -0800,\"CR\",12800,\"USD\",\"DR\",401,\"USD\",\"a\nb\",\"PAYER1\",\"S1\"";
const REFUNDED: &str = "\"SB\",\"T2\",\"INV-1\",\"T1\",\"TXN\",\"T1107\",2026/11/20 01:00:00 -0800,2026/11/20 01:00:00 -0800,\"DR\",2800,\"USD\",\"CR\",82,\"USD\",\"\",\"PAYER1\",\"\"";

#[test]
fn a_paypal_report_becomes_ledger_lines() {
    use Direction::{In, Out};
    let yen = PAID.replace("\"T1\"", "\"T3\"").replace("USD", "JPY").replace("401", "50");
    let forint = PAID.replace("\"T1\"", "\"T4\"").replace("USD", "HUF").replace("401", "50");
    let withdrawn = PAID
        .replace("\"T1\"", "\"T5\"")
        .replace("T0006", "T0400")
        .replace("\"CR\"", "\"DR\"")
        .replace("\"DR\",401", "\"\",");
    let chargeback_fee = PAID
        .replace("\"T1\"", "\"T6\"")
        .replace("T0006", "T0106")
        .replace("\"CR\"", "\"DR\"")
        .replace("\"DR\",401", "\"\",");
    let (examined, read) =
        lines(&paypal(&[PAID, REFUNDED, &yen, &forint, &withdrawn, &chargeback_fee])).unwrap();
    assert_eq!((examined.about.variant.as_str(), examined.totals), ("settlement", TotalsCheck::Matched));
    let rows = ledger(read);
    assert_eq!(
        told(&rows),
        [
            (LedgerKind::Payment, In, 12_800, Some(401), Some(12_399)),
            (LedgerKind::Refund, Out, 2_800, Some(-82), Some(-2_718)),
            (LedgerKind::Payment, In, 12_800, Some(50), Some(12_750)),
            (LedgerKind::Payment, In, 1_280_000, Some(5_000), Some(1_275_000)),
            (LedgerKind::Payout, Out, 12_800, None, Some(-12_800)),
            (LedgerKind::Fee, Out, 12_800, None, Some(-12_800)),
        ]
    );
    assert_eq!(rows[0].posted_at.to_rfc3339(), "2026-11-20T08:00:30+00:00");
    assert_eq!(rows[0].source_day.unwrap().to_string(), "2026-11-20");
    assert_eq!((rows[0].account.as_str(), rows[0].line_id.as_str()), ("ACCOUNT1", "T1/T0006"));
    assert_eq!(rows[1].parent_transaction_id.as_deref(), Some("T1"));
    assert_eq!(rows[0].order_id.as_deref(), Some("INV-1"));
    assert!(!format!("{rows:?}").contains("PAYER1"));
}

#[test]
fn a_paypal_report_says_what_was_denied_and_is_held_against_its_counts() {
    let detail = |status: &str| {
        paypal(&[PAID])
            .replace("\"Custom Field\"", "\"Transactional Status\"")
            .replace("\"a\nb\"", &format!("\"{status}\""))
    };
    for (letter, status) in
        [("S", Status::Succeeded), ("D", Status::Failed), ("P", Status::Pending), ("V", Status::Succeeded)]
    {
        let (examined, read) = lines(&detail(letter)).unwrap();
        assert_eq!(examined.about.variant, "transaction detail");
        assert_eq!(ledger(read)[0].status, status, "{letter}");
    }
    assert_eq!(rejected(&lines(&detail("X")).unwrap().1)[0].1, RejectCode::UnknownStatus);
    let good = paypal(&[PAID, REFUNDED]);
    let code = |text: &str| lines(text).unwrap_err().code();
    assert_eq!(code(&good.replace("\"SC\",2", "\"SC\",3")), "totals_differ");
    assert_eq!(code(&good.replace("\"RC\",2", "\"RC\",1")), "totals_differ");
    assert_eq!(code(&good[..good.find("\"SF\"").unwrap()]), "summary_missing");
    for (from, to, wanted) in [
        ("12800,\"USD\"", "128.00,\"USD\"", RejectCode::NotAnAmount),
        ("12800,\"USD\"", "99999999999999999999,\"USD\"", RejectCode::AmountOutOfRange),
        ("T0006", "X0006", RejectCode::UnknownKind),
        ("2026/11/20 00:00:30 -0800", "2026/11/20 00:00:30", RejectCode::NotATime),
        ("\"CR\",12800", "\"XX\",12800", RejectCode::UnknownKind),
    ] {
        assert_eq!(rejected(&lines(&good.replace(from, to)).unwrap().1), [(5, wanted)], "{to}");
    }
}

#[test]
fn columns_in_any_order_files_cut_in_halves_and_read_twice_give_the_same_rows() {
    for text in [stripe(), adyen()] {
        let whole = ledger(lines(&text).unwrap().1);
        let without_place = |mut row: LedgerLine| {
            row.line_number = None;
            row
        };
        let body: Vec<&str> = text.lines().skip(1).collect();
        let head = text.lines().next().unwrap();
        let mut halves = Vec::new();
        for half in [&body[body.len() / 2..], &body[..body.len() / 2], &body[..]] {
            halves.extend(
                ledger(lines(&format!("{head}\n{}\n", half.join("\n"))).unwrap().1)
                    .into_iter()
                    .map(without_place),
            );
        }
        halves.sort_by(|one, other| one.line_id.cmp(&other.line_id));
        halves.dedup();
        let mut whole: Vec<_> = whole.into_iter().map(without_place).collect();
        whole.sort_by(|one, other| one.line_id.cmp(&other.line_id));
        assert_eq!(halves, whole);
    }
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(
        text_of("synthetic_payout_reconciliation_itemized.csv").as_bytes().to_vec().leak() as &[u8],
    );
    let mut writer = csv::Writer::from_writer(Vec::new());
    for record in reader.records() {
        writer.write_record(record.unwrap().iter().rev()).unwrap();
    }
    let turned = String::from_utf8(writer.into_inner().unwrap()).unwrap();
    assert_eq!(ledger(lines(&turned).unwrap().1), ledger(lines(&stripe()).unwrap().1));
}

#[test]
fn every_sample_of_the_others_is_taken_whole() {
    for (folder, rows) in [("samples/stripe", 5), ("samples/adyen", 7), ("samples/hyperswitch", 2)] {
        let files =
            shared(folder).into_iter().filter(|path| path.extension().is_some_and(|ending| ending == "csv"));
        for path in files {
            let (examined, read) = lines_of(&path, &FileHints::default()).unwrap();
            assert_eq!((examined.lines.accepted, rejected(&read).len()), (rows, 0), "{}", path.display());
            assert_eq!(examined.lines.read, rows + 1);
        }
    }
}

#[test]
fn bad_tables_are_refused_or_rejected_with_what_to_do() {
    let code = |text: &str| lines(text).unwrap_err().code();
    assert_eq!(code(&stripe().replace("fee,net", "fee,fee")), "column_twice");
    assert_eq!(code(&stripe().replace("created_utc", "made_utc")), "column_missing");
    assert_eq!(code(&stripe().replace("txn_syn_1,", "4.2E+27,")), "excel_damaged");
    let quote = stripe().replace("Order SYNS0001", &format!("\"{}", "x\n".repeat(1 << 20)));
    assert_eq!(code(&quote), "line_too_long");
    let million = stripe().replace("Order SYNS0001", &"x".repeat(1_000_000));
    assert_eq!(ledger(lines(&million).unwrap().1)[0].description.as_ref().map(String::len), Some(256));
    let cut = stripe();
    let cut = &cut[..cut.len() - 30];
    assert_eq!(rejected(&lines(cut).unwrap().1), [(6, RejectCode::ColumnCount)]);
    assert_eq!(
        rejected(&lines(&adyen().replace("2026-11-18 10:00:00", "2026-11-18 10:00")).unwrap().1),
        [(2, RejectCode::SecondsMissing)]
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_any_reader_panic(
        noise in prop::collection::vec(any::<u8>(), 0..60),
        at in 0..2_000_usize,
        cut in 0..40_usize,
        which in 0..6_usize,
    ) {
        let mut bytes = match which {
            0 => stripe(),
            1 => adyen(),
            2 => text_of("synthetic_payments_report.csv"),
            3 => paypal(&[PAID, REFUNDED]),
            4 => text_of("synthetic_v3_fundflow_BASIC.csv"),
            _ => alipay().replace("业务", "账务"),
        }
        .into_bytes();
        let at = at % bytes.len();
        let end = (at + cut).min(bytes.len());
        bytes.splice(at..end, noise);
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&bytes).unwrap();
        if let Ok((examined, read)) = lines_of(file.path(), &FileHints::default()) {
            let counts = examined.lines;
            prop_assert_eq!(counts.read, u64::try_from(read.len()).unwrap());
            prop_assert_eq!(counts.read, counts.accepted + counts.rejected + counts.not_data());
        }
    }
}
