delete from rejected_row where import_id = $1
