update lake_file set state = 'retired', removed_version = $2, removed_at_ms = $3
where id = $1 and state in ('live', 'quarantined')
