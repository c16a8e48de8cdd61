delete from import_batch where import_id = $1
