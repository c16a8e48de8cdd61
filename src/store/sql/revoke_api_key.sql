update api_key set revoked_at_ms = $2 where id = $1 and revoked_at_ms is null
