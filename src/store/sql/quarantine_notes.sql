select id, quarantine_reason, quarantined_at_ms from lake_file where state = 'quarantined'
