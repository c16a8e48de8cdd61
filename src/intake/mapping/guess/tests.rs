use std::io::Write;

use super::super::super::Pseudonyms;
use super::super::Mapping;
use super::*;
use crate::domain::{Currency, LedgerKind, StoreId, instant_from_ms};

const NOW_MS: i64 = 1_795_564_800_000;

fn spool(text: &str) -> Spool {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let scratch = tempfile::tempdir().unwrap();
    Spool::of(file.path(), scratch.path(), None).unwrap()
}

fn draft(sample: &Sample, source: Source) -> Draft {
    let roles = sample.guess();
    Draft {
        name: "sample".to_owned(),
        source,
        provider: "till".to_owned(),
        account: "default".to_owned(),
        zone: chrono_tz::Asia::Shanghai,
        currency: Currency::CNY,
        time_format: "%Y-%m-%d %H:%M:%S".to_owned(),
        delimiter: sample.delimiter,
        columns: sample.columns.iter().cloned().zip(roles).collect(),
        refund_words: Vec::new(),
        store_words: Vec::new(),
    }
}

fn previewed(text: &str, draft: &Draft) -> Vec<Result<LedgerLine, RejectedLine>> {
    let pseudonyms = Pseudonyms::new([7; 32]);
    let now = instant_from_ms(NOW_MS);
    let context = MappingContext { store: StoreId(1), now, file: "", pseudonyms: &pseudonyms };
    preview(&spool(text), &draft.mapping().unwrap(), &context, 20).unwrap().rows
}

const TILL: &str = "某某收银系统导出\n导出时间：2026-11-21,,\n\n门店名称,订单号,交易流水号,交易时间,交易类型,交易状态,支付方式,实收金额,手续费,余额,收银员\n\
    一店,O1,T1,2026-11-20 09:15:00,收款,成功,微信,\"1,128.00\",0.77,0,小王\n\
    一店,O1,T2,2026-11-20 10:15:00,退款,成功,微信,28.00,-0.17,0,小王\n\
    一店,O2,T3,2026-11-20 10:15:00,收款,交易关闭,神秘支付,28.00,,0,小王\n\
    一店,O3,T4,2026-11-20 10:15:00,收款,成功,神秘支付,9.9,,0,小王\n合计,,,,,,,1165.90,,,\n";

#[test]
fn columns_are_guessed_by_their_words_and_shapes() {
    let sample = Sample::of(&spool(TILL)).unwrap();
    assert_eq!((sample.preamble, sample.delimiter, sample.columns.len()), (2, ',', 11));
    let roles: Vec<_> = sample.guess().into_iter().map(ColumnRole::as_str).collect();
    assert_eq!(
        roles,
        ["store", "order", "id", "date", "kind", "status", "method", "amount", "fee", "ignored", "operator"]
    );
    let english =
        Sample::of(&spool("Date;Details;Money Out;Money In;Balance\n20/11/2026;Rent;100.00;;5\n")).unwrap();
    let roles: Vec<_> = english.guess().into_iter().map(ColumnRole::as_str).collect();
    assert_eq!((english.delimiter, roles), (';', vec!["date", "description", "out", "in", "ignored"]));
    let two = Sample::of(&spool(
        "交易日期\t交易时间\t借方发生额\t贷方发生额\t摘要\n20261120\t09:15:00\t\t5.00\tx\n",
    ))
    .unwrap();
    let roles: Vec<_> = two.guess().into_iter().map(ColumnRole::as_str).collect();
    assert_eq!(roles, ["date", "time", "out", "in", "description"]);
    assert!(Sample::of(&spool("just words\nand more\n")).is_err());
}

#[test]
fn what_was_chosen_becomes_a_mapping_that_reads_the_sample() {
    let sample = Sample::of(&spool(TILL)).unwrap();
    let draft = draft(&sample, Source::Payments);
    let rows = previewed(TILL, &draft);
    let found: Vec<_> = rows
        .iter()
        .map(|row| row.as_ref().unwrap())
        .map(|row| (row.kind, row.net.unwrap(), row.method.unwrap().to_string()))
        .collect();
    assert_eq!(
        found,
        [
            (LedgerKind::Payment, 112_723, "wechat_pay".to_owned()),
            (LedgerKind::Refund, -2_783, "wechat_pay".to_owned()),
            (LedgerKind::Payment, 990, "other".to_owned())
        ]
    );
    let text = toml::to_string(&draft.mapping().unwrap()).unwrap();
    let again = Mapping::parse(&text).unwrap();
    assert!(again.fits(&TILL.lines().map(str::to_owned).collect::<Vec<_>>()), "{text}");
    let elsewhere = Draft { store_words: vec!["二店".to_owned()], ..draft.clone() };
    assert!(previewed(TILL, &elsewhere).is_empty());
    let wrong = Draft { time_format: "%d/%m/%Y".to_owned(), ..draft };
    assert!(previewed(TILL, &wrong).iter().all(Result::is_err), "faults are shown, not hidden");
}

#[test]
fn a_choice_without_date_or_amount_says_so() {
    let sample = Sample::of(&spool(TILL)).unwrap();
    for role in [ColumnRole::Date, ColumnRole::Amount] {
        let mut draft = draft(&sample, Source::Payments);
        for column in draft.columns.iter_mut().filter(|(_, own)| *own == role) {
            column.1 = ColumnRole::Ignored;
        }
        assert_eq!(draft.mapping().unwrap_err().code(), "mapping");
    }
}

#[test]
fn a_banks_table_becomes_transfers_and_fees() {
    let text =
        "交易日期,借方,贷方,摘要\n2026-11-20 00:00:00,,5.00,货款\n2026-11-20 00:00:00,1.00,,转账手续费\n";
    let draft = draft(&Sample::of(&spool(text)).unwrap(), Source::Bank);
    let found: Vec<_> = previewed(text, &draft)
        .into_iter()
        .map(|row| row.unwrap())
        .map(|row| (row.kind, row.net.unwrap()))
        .collect();
    assert_eq!(found, [(LedgerKind::Transfer, 500), (LedgerKind::Fee, -100)]);
}
