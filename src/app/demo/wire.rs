use serde_json::{Map, Value, json};

use crate::domain::{CheckoutEvent, Currency, FailureClass, Instant, Item, Scene, Transaction, Word};

/// A transaction as any sender would write it for `POST /api/v1/transactions`.
pub fn transaction_json(one: &Transaction, store: &str) -> Value {
    let mut fields = Fields::default();
    fields.set("transaction_id", one.transaction_id.as_str());
    fields.set("created_at", time(one.created_at));
    fields.set("kind", one.kind.as_str());
    fields.set("status", one.status.as_str());
    fields.set("amount", one.amount.minor());
    fields.set("currency", one.amount.currency().code());
    fields.set("store", store);
    fields.set("account", one.account.as_str());
    fields.word("provider", one.provider);
    fields.word("method", one.method);
    fields.word("aggregator", one.aggregator);
    fields.some("scene", one.scene.map(Scene::as_str));
    for (name, text) in [
        ("device", &one.device),
        ("operator", &one.operator),
        ("terminal", &one.terminal),
        ("shift", &one.shift),
        ("source", &one.source),
        ("campaign", &one.campaign),
        ("promotion", &one.promotion),
        ("order_id", &one.order_id),
        ("payment_id", &one.payment_id),
        ("parent_transaction_id", &one.parent_transaction_id),
        ("provider_transaction_id", &one.provider_transaction_id),
        ("failure_code", &one.failure_code),
        ("failure_message", &one.failure_message),
        ("customer", &one.customer),
        ("payment_fingerprint", &one.payment_fingerprint),
    ] {
        fields.some(name, text.as_deref());
    }
    fields.some("attempt", one.attempt);
    fields.some("submitted_at", one.submitted_at.map(time));
    fields.some("authorized_at", one.authorized_at.map(time));
    fields.some("completed_at", one.completed_at.map(time));
    fields.some("updated_at", one.updated_at.map(time));
    fields.some("settled_on", one.settled_on.map(|day| day.to_string()));
    fields.some("failure_class", one.failure_class.map(FailureClass::as_str));
    fields.some("list_amount", one.list_amount);
    fields.some("discount_merchant", one.discount_merchant);
    fields.some("discount_platform", one.discount_platform);
    fields.some("tax", one.tax);
    fields.some("fee", one.fee);
    fields.object("method_detail", method_detail(one));
    fields.object("risk", risk(one));
    fields.items(&one.items);
    fields.pairs(&one.attributes);
    Value::Object(fields.0)
}

/// A step of a shopper as any sender would write it for `POST /api/v1/checkout-events`.
pub fn event_json(one: &CheckoutEvent, store: &str) -> Value {
    let mut fields = Fields::default();
    fields.set("event_id", one.event_id.as_str());
    fields.set("time", time(one.time));
    fields.set("store", store);
    fields.set("session_id", one.session_id.as_str());
    fields.set("step", one.step.as_str());
    for (name, text) in [
        ("visitor", &one.visitor),
        ("order_id", &one.order_id),
        ("promotion", &one.promotion),
        ("source", &one.source),
        ("campaign", &one.campaign),
        ("device", &one.device),
        ("field_error", &one.field_error),
    ] {
        fields.some(name, text.as_deref());
    }
    fields.some("currency", one.currency.map(Currency::code));
    fields.some("value", one.value);
    fields.word("method", one.method);
    fields.some("dwell_ms", one.dwell_ms);
    fields.some("autofilled", one.autofilled);
    if !one.methods_offered.is_empty() {
        let offered: Vec<&str> = one.methods_offered.iter().map(|word| word.as_str()).collect();
        fields.set("methods_offered", offered);
    }
    fields.items(&one.items);
    fields.pairs(&one.attributes);
    Value::Object(fields.0)
}

fn time(at: Instant) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

fn method_detail(one: &Transaction) -> Fields {
    let mut fields = Fields::default();
    let detail = &one.method_detail;
    fields.some("bank", detail.bank.as_deref());
    fields.some("card_brand", detail.card_brand.as_deref());
    fields.some("funding", detail.funding.as_deref());
    fields.some("wallet", detail.wallet.as_deref());
    fields
}

fn risk(one: &Transaction) -> Fields {
    let mut fields = Fields::default();
    fields.some("score", one.risk.score);
    fields.some("verdict", one.risk.verdict.as_deref());
    fields.some("outcome", one.risk.outcome.as_deref());
    fields
}

/// Fields of a JSON object; what is not known is left out.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.0.insert(name.to_owned(), value.into());
    }

    fn some(&mut self, name: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.set(name, value);
        }
    }

    fn word(&mut self, name: &str, word: Option<Word>) {
        self.some(name, word.map(Word::as_str));
    }

    fn object(&mut self, name: &str, inner: Self) {
        if !inner.0.is_empty() {
            self.set(name, Value::Object(inner.0));
        }
    }

    fn items(&mut self, items: &[Item]) {
        if items.is_empty() {
            return;
        }
        let list: Vec<Value> = items
            .iter()
            .map(|item| {
                let mut fields = Self::default();
                fields.some("sku", item.sku.as_deref());
                fields.some("name", item.name.as_deref());
                fields.some("category", item.category.as_deref());
                // Exact decimals travel as text: a JSON number may pass through a float on the way.
                fields.set("quantity", item.quantity.to_string());
                fields.some("unit_amount", item.unit_amount.map(|unit| unit.to_string()));
                fields.some("discount", item.discount);
                fields.set("line_amount", item.line_amount);
                Value::Object(fields.0)
            })
            .collect();
        self.set("items", list);
    }

    fn pairs(&mut self, pairs: &[(String, String)]) {
        if !pairs.is_empty() {
            let object: Map<String, Value> =
                pairs.iter().map(|(name, text)| (name.clone(), json!(text))).collect();
            self.set("attributes", Value::Object(object));
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::{NaiveTime, Weekday};

    use super::super::history::{History, Outline};
    use super::super::shops::SHOPS;
    use super::*;
    use crate::domain::{OrganisationId, Store, StoreId};
    use crate::intake::Pseudonyms;
    use crate::intake::api::{BodyFormat, RowContext, parse_checkout_events, parse_transactions};

    fn stores() -> Vec<Store> {
        let ids = 1_i64..;
        SHOPS
            .iter()
            .zip(ids)
            .map(|(shop, id)| Store {
                id: StoreId(id),
                organisation: OrganisationId(1),
                slug: shop.slug.into(),
                name: shop.name.into(),
                zone: shop.zone,
                cut_off: NaiveTime::MIN,
                week_start: Weekday::Mon,
                currency: shop.currency(),
                language: shop.language.into(),
            })
            .collect()
    }

    fn slug(store: StoreId) -> &'static str {
        SHOPS[usize::try_from(store.0 - 1).unwrap()].slug
    }

    #[test]
    fn the_api_reads_every_record_of_the_demo_as_it_is() {
        let until: Instant = "2026-11-25T06:30:00Z".parse().unwrap();
        let pseudonyms = Pseudonyms::new([3; 32]);
        let stores = stores();
        let context = RowContext { now: until, stores: &stores, test: false, pseudonyms: &pseudonyms };
        let outline = Outline { seed: 9, days: 2, until, stores: [StoreId(1), StoreId(2), StoreId(3)] };
        for mut bundle in History::of(outline) {
            let json = |rows: Vec<Value>| rows.iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
            let body =
                json(bundle.transactions.iter().map(|one| transaction_json(one, slug(one.store))).collect());
            let batch = parse_transactions(body.as_bytes(), BodyFormat::Lines, &context);
            for one in &mut bundle.transactions {
                one.customer = one.customer.take().map(|raw| pseudonyms.of("customer", "", &raw));
                let fingerprint = one.payment_fingerprint.take();
                one.payment_fingerprint =
                    fingerprint.map(|raw| pseudonyms.of("payment_fingerprint", "", &raw));
            }
            if bundle.transactions.is_empty() {
                continue;
            }
            let batch = batch.unwrap();
            assert_eq!(batch.errors, []);
            for (sent, read) in bundle.transactions.iter().zip(&batch.rows) {
                assert_eq!(sent, read);
            }
            assert_eq!(batch.rows.len(), bundle.transactions.len());

            let body =
                json(bundle.checkout_events.iter().map(|one| event_json(one, slug(one.store))).collect());
            if let Ok(batch) = parse_checkout_events(body.as_bytes(), BodyFormat::Lines, &context) {
                assert_eq!(batch.errors, []);
                assert_eq!(batch.rows.len(), bundle.checkout_events.len());
            }
        }
    }
}
