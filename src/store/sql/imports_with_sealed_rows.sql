select distinct import_id from rejected_row where length(sealed) > 0 order by import_id
