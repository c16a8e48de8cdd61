insert into session (token_sha256, person_id, client, created_at_ms, last_seen_ms, ends_at_ms)
values ($1, $2, $3, $4, $4, $5)
returning id
