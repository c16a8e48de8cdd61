update inbox set held_reason = $2, held_at_ms = $3
where seq = $1 and folded_version is null and held_reason is null
