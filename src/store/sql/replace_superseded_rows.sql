update lake_file set superseded = $2 where id = $1 and state = 'live' and row_count = $3
