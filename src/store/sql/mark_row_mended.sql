update rejected_row set mended_at_ms = $3, raw = null, sealed = $4
where import_id = $1 and line = $2 and mended_at_ms is null
