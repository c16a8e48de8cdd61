update lake_file set verified_at_ms = $2 where id = $1
