insert into api_key (id, organisation_id, name, scope, mode, all_stores, secret_hmac, created_at_ms)
values ($1, $2, $3, $4, $5, $6, $7, $8)
