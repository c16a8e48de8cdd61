insert into account (store_id, account, source_of_record, created_at_ms) values ($1, $2, $3, $4)
on conflict (store_id, account) do nothing
