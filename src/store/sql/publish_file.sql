update lake_file
set state = 'live', row_count = $2, size_bytes = $3, blake3 = $4, added_version = $5, last_event_ms = $6, control = $7
where id = $1 and state = 'pending'
