select day.provider, day.account, day.day, cast(sum(day.row_count) as bigint), max(import.id)
from import_day day
join import on import.id = day.import_id
where import.store_id = $1 and import.state = 'done' and day.day >= $2
group by day.provider, day.account, day.day
order by day.provider, day.account, day.day
