select count(*) from rejected_row where import_id = $1 and mended_at_ms is not null
