insert into webhook_fact (store_id, provider, account, test, subject, fact_key, fact, customer, received_at_ms)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
on conflict (store_id, provider, account, test, subject, fact_key) do nothing
