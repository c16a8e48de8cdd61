delete from import_day where import_id = $1
