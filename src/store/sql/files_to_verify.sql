select id from lake_file where state = 'live' and coalesce(verified_at_ms, 0) < $1 order by coalesce(verified_at_ms, 0), id limit $2
