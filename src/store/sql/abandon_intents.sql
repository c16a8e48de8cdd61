update lake_file set state = 'retired', removed_at_ms = $2 where state = 'pending' and created_at_ms < $1
