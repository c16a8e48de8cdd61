update inbox set folded_version = $2, folded_at_ms = $3
where seq = $1 and folded_version is null and held_reason is null
