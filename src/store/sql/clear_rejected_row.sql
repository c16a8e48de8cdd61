update rejected_row set raw = null, sealed = $3 where import_id = $1 and line = $2
