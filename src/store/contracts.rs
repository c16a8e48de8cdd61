//! Contract rates: what providers said they would charge.

use chrono::NaiveDate;

use super::statement::statement;
use super::{Database, StoreError};
use crate::domain::{ContractRate, Instant, Rounding, StoreId, Word};

/// A contract rate and its number, by which it is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContractEntry {
    pub id: i64,
    pub rate: ContractRate,
}

#[derive(sqlx::FromRow)]
struct RateRow {
    id: i64,
    store_id: i64,
    provider: String,
    method: Option<String>,
    valid_from: String,
    valid_until: Option<String>,
    rate_ppm: i64,
    fixed_minor: i64,
    rounding: String,
}

impl RateRow {
    fn read(self) -> Result<ContractEntry, StoreError> {
        let wrong = |what: &str| StoreError::Inconsistent {
            table: "contract_rate",
            row: self.id.to_string(),
            what: what.to_owned(),
        };
        let valid_from = self.valid_from.parse().map_err(|_| wrong("valid_from is no day"))?;
        let valid_until = self.valid_until.as_deref().map(str::parse).transpose();
        let rate = ContractRate {
            store: StoreId(self.store_id),
            provider: Word::of(&self.provider),
            method: self.method.as_deref().map(Word::of),
            valid_from,
            valid_until: valid_until.map_err(|_| wrong("valid_until is no day"))?,
            rate_ppm: u32::try_from(self.rate_ppm).map_err(|_| wrong("rate_ppm is out of range"))?,
            fixed_minor: self.fixed_minor,
            rounding: Rounding::parse(&self.rounding).ok_or_else(|| wrong("unknown rounding"))?,
        };
        Ok(ContractEntry { id: self.id, rate })
    }
}

impl Database {
    /// Every contract rate of every store, ended ones included.
    pub async fn contract_rates(&self) -> Result<Vec<ContractEntry>, StoreError> {
        let rows: Vec<RateRow> =
            statement(include_str!("sql/list_contract_rates.sql")).fetch_all(self.readers()).await?;
        rows.into_iter().map(RateRow::read).collect()
    }

    /// Adds a rate and returns its number.
    pub async fn insert_contract_rate(&self, rate: &ContractRate, now: Instant) -> Result<i64, StoreError> {
        let mut write = self.begin_write().await?;
        let id = statement(include_str!("sql/insert_contract_rate.sql"))
            .bind(rate.store.0)
            .bind(rate.provider.as_str())
            .bind(rate.method.map(Word::as_str))
            .bind(rate.valid_from.to_string())
            .bind(rate.valid_until.map(|day| day.to_string()))
            .bind(rate.rate_ppm)
            .bind(rate.fixed_minor)
            .bind(rate.rounding.as_str())
            .bind(now.timestamp_millis())
            .scalar_one(write.connection())
            .await?;
        write.commit().await?;
        Ok(id)
    }

    /// Ends a rate with `last_day` included; false when there is none, or it begins later.
    pub async fn end_contract_rate(&self, id: i64, last_day: NaiveDate) -> Result<bool, StoreError> {
        let mut write = self.begin_write().await?;
        let changed = statement(include_str!("sql/end_contract_rate.sql"))
            .bind(id)
            .bind(last_day.to_string())
            .execute(write.connection())
            .await?;
        write.commit().await?;
        Ok(changed == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{FIRST_SETUP, on_both_engines};
    use super::*;
    use crate::domain::instant_from_ms;

    on_both_engines!(a_rate_comes_back_as_it_was_written_and_can_be_ended);

    async fn a_rate_comes_back_as_it_was_written_and_can_be_ended(database: Database) {
        let now = instant_from_ms(0);
        database.put_setup_token(b"t", instant_from_ms(1)).await.unwrap();
        let (_, store) = database.complete_setup(&FIRST_SETUP, now).await.unwrap();
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let rate = ContractRate {
            store: store.id,
            provider: Word::of("wechat_pay"),
            method: None,
            valid_from: day("2026-01-01"),
            valid_until: None,
            rate_ppm: 3800,
            fixed_minor: 0,
            rounding: Rounding::HalfEven,
        };
        let id = database.insert_contract_rate(&rate, now).await.unwrap();
        assert_eq!(database.contract_rates().await.unwrap(), [ContractEntry { id, rate }]);
        assert!(!database.end_contract_rate(id, day("2025-12-31")).await.unwrap());
        assert!(database.end_contract_rate(id, day("2026-06-30")).await.unwrap());
        assert_eq!(database.contract_rates().await.unwrap()[0].rate.valid_until, Some(day("2026-06-30")));
    }
}
