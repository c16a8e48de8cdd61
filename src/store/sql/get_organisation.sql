select id, name from organisation order by id limit 1
