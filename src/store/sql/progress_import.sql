update import set progress_ppm = $2, row_count = row_count + $3 where id = $1
