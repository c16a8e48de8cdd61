insert into erasure (person_hash, basis, asked_at_ms) values ($1, $2, $3)
on conflict (person_hash) do update set done_at_ms = null
