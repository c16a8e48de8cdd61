update data_format set written_by = $1 where id = 1
