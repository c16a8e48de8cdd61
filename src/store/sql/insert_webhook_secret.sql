insert into webhook_secret (id, endpoint_id, kind, key_name, sealed, fingerprint, added_at_ms)
values ($1, $2, $3, $4, $5, $6, $7)
