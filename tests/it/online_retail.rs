//! Real invoices of a shop, in through the mapping of `examples/`, out through the files of the pages: every figure
//! equals the published expectation.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use actix_web::test::{TestRequest, call_and_read_body};
use chrono::{NaiveTime, Weekday};
use serde_json::Value;
use tillwatch::domain::Currency;
use tillwatch::intake::FileHints;
use tillwatch::intake::import::{ImportRequest, import_file};
use tillwatch::jobs::{Fold, Job, JobContext};
use tillwatch::store::StoreDraft;

use crate::app;
use crate::service::TestService;

const QUARTER: &str = "period=custom&from=2010-12-01&to=2011-02-28&bom=0";

/// Rows of a file, each by its column names.
fn rows(body: &[u8]) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_reader(body);
    reader.deserialize().map(|row| row.unwrap()).collect()
}

fn number(row: &BTreeMap<String, String>, name: &str) -> i64 {
    row[name].parse().unwrap_or_else(|_| panic!("`{}` in column {name}", row[name]))
}

fn expected(value: &Value, name: &str) -> i64 {
    value[name].as_i64().unwrap_or_else(|| panic!("no {name} in the expectation"))
}

/// Imports the invoices into a store in London and folds them.
async fn shop(file: &Path) -> (TestService, (&'static str, String)) {
    let service = TestService::start().await;
    let owner = service.owner().await;
    let state = &service.state;
    let now = state.clock.now();
    let draft = StoreDraft {
        organisation: state.database.organisation().await.unwrap().unwrap().id,
        slug: "gifts".into(),
        name: "Gifts".into(),
        zone: chrono_tz::Europe::London,
        cut_off: NaiveTime::MIN,
        week_start: Weekday::Mon,
        currency: Currency::parse("GBP").unwrap(),
        language: "en".into(),
    };
    let store = state.database.insert_store(&draft, now).await.unwrap();
    let request = ImportRequest {
        store: store.id,
        path: file.to_owned(),
        file_name: "retail.csv.gz".into(),
        mapping: Some(include_str!("../../examples/online_retail.toml").to_owned()),
        hints: FileHints::default(),
        scratch: state.config.data_dir.clone(),
        now,
    };
    import_file(&state.intake, &state.database, Arc::clone(&state.pseudonyms), request, |_| ())
        .await
        .unwrap();
    let context = JobContext {
        database: state.database.clone(),
        clock: Arc::clone(&state.clock),
        snapshots: Arc::clone(&state.snapshots),
        metrics: Arc::clone(&state.metrics),
    };
    let fold = Fold::new(state.lake.as_ref().clone());
    while fold.run(&context).await.unwrap().done > 0 {}
    (service, owner)
}

#[actix_web::test]
async fn the_files_of_the_pages_equal_the_published_figures() {
    let data = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data"));
    let Ok(published) = std::fs::read(data.join("expected_online_retail_dev.json")) else {
        println!("skipped: ../shared is absent, the real invoices were not imported");
        return;
    };
    let published: Value = serde_json::from_slice(&published).unwrap();
    let (service, owner) = shop(&data.join("online_retail_2010-12_2011-02.csv.gz")).await;
    let app = app!(service);
    let get = async |address: String| {
        let request = TestRequest::with_uri(&format!("/s/gifts/{address}"))
            .insert_header(owner.clone())
            .insert_header(("accept-language", "en"))
            .to_request();
        rows(&call_and_read_body(&app, request).await)
    };
    let same_money = |row: &BTreeMap<String, String>, want: &Value, what: &str| {
        assert_eq!(number(row, "payments"), expected(want, "payments"), "{what}");
        assert_eq!(number(row, "paid_minor"), expected(want, "payment_amount"), "{what}");
        assert_eq!(number(row, "refunds"), expected(want, "refunds"), "{what}");
        assert_eq!(number(row, "refunded_minor"), expected(want, "refund_amount"), "{what}");
    };

    for (month, last) in [("2010-12", 31), ("2011-01", 31), ("2011-02", 28)] {
        let days = format!("period=custom&from={month}-01&to={month}-{last}&bom=0");
        let file = get(format!("overview.csv?{days}")).await;
        let total = file.iter().find(|row| row["part"] == "total").unwrap();
        same_money(total, &published["per_month"][month], month);
    }

    let file = get(format!("overview.csv?{QUARTER}&by=attr.country")).await;
    let total = file.iter().find(|row| row["part"] == "total").unwrap();
    assert_eq!(number(total, "payments"), expected(&published["payments"], "count"));
    assert_eq!(number(total, "paid_minor"), expected(&published["payments"], "amount"));
    assert_eq!(number(total, "refunded_minor"), expected(&published["refunds"], "amount"));
    assert_eq!(number(total, "net_sales_minor"), expected(&published, "net"));
    let countries: BTreeMap<&str, _> =
        file.iter().filter(|row| row["part"] == "breakdown").map(|row| (row["key"].as_str(), row)).collect();
    let wanted = published["per_country"].as_object().unwrap();
    assert_eq!(countries.len(), wanted.len());
    for (country, want) in wanted {
        same_money(countries[country.as_str()], want, country);
    }

    let file = get(format!("categories.csv?{QUARTER}")).await;
    let products: Vec<(String, i64)> = file
        .iter()
        .filter(|row| row["part"] == "product")
        .take(10)
        .map(|row| (row["sku"].clone(), number(row, "amount_minor")))
        .collect();
    let top: Vec<(String, i64)> = published["top10_products_by_payment_amount"]
        .as_array()
        .unwrap()
        .iter()
        .map(|product| (product["sku"].as_str().unwrap().to_owned(), expected(product, "amount")))
        .collect();
    assert_eq!(products, top);

    let file = get(format!("customers.csv?{QUARTER}")).await;
    let fact = |name: &str| number(file.iter().find(|row| row["name"] == name).unwrap(), "value");
    let customers = &published["customers"];
    assert_eq!(fact("Paying customers"), expected(customers, "with_reference"));
    assert_eq!(fact("Customers who paid more than once"), expected(customers, "paying_more_than_once"));
}
