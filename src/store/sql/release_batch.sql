update inbox set held_reason = null, held_at_ms = null where seq = $1 and held_reason is not null
