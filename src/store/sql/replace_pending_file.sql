update pending_import set place = $3, size_bytes = $4, diagnosis = null where id = $1 and place = $2
