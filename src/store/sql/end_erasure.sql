update erasure set done_at_ms = $2 where person_hash = $1
