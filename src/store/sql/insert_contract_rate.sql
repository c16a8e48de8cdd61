insert into contract_rate (store_id, provider, method, valid_from, valid_until, rate_ppm, fixed_minor, rounding, created_at_ms)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
returning id
