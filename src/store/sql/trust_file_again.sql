update lake_file set state = 'live', quarantine_reason = null, quarantined_at_ms = null where id = $1 and state = 'quarantined'
