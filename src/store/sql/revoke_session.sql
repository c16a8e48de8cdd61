update session set revoked_at_ms = $3 where id = $1 and person_id = $2 and revoked_at_ms is null
