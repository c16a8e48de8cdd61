select distinct import.store_id
from import_day day
join import on import.id = day.import_id
where day.provider = $1 and day.account = $2 and import.state = 'done'
order by import.store_id
