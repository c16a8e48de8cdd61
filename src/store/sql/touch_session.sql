update session set last_seen_ms = $2 where id = $1 and revoked_at_ms is null and last_seen_ms < $2
