select id, path from lake_file where state = 'retired' and removed_at_ms < $1 order by id limit $2
