update rejected_row set field = $3, code = $4, sentence = $5, raw = null, sealed = $6
where import_id = $1 and line = $2 and mended_at_ms is null
