update session set revoked_at_ms = $2 where person_id = $1 and revoked_at_ms is null
