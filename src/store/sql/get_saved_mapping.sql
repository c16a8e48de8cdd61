select id, store_id, name, version, text, created_at_ms from saved_mapping where id = $1
