select id, password_hash from person where email = $1 and disabled_at_ms is null
