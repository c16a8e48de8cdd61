insert into reconciliation_closing (store_id, first_day, last_day, statement, person, created_at_ms)
values ($1, $2, $3, $4, $5, $6)
returning id
