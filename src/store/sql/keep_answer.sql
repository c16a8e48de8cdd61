insert into idempotent_answer (key_hash, body_hash, answer, created_at_ms) values ($1, $2, $3, $4)
on conflict (key_hash) do nothing
