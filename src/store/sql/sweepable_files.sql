select id, path from lake_file
where (state = 'retired' and removed_at_ms < $1) or (state = 'pending' and created_at_ms < $2)
order by id limit $3
