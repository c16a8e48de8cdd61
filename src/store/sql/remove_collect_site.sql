update collect_site set removed_at_ms = $2 where id = $1 and removed_at_ms is null
