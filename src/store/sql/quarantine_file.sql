update lake_file set state = 'quarantined', quarantine_reason = $2, quarantined_at_ms = $3 where id = $1 and state = 'live'
