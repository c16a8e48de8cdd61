update store
set name = $2, cut_off_minutes = $3, week_start = $4, language = $5, zone = $6
where id = $1
