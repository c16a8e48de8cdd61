insert into import_day (import_id, provider, account, day, row_count) values ($1, $2, $3, $4, $5)
