select day.provider, day.account, import.variant, day.day, cast(sum(day.row_count) as bigint), max(import.id)
from import_day day
join import on import.id = day.import_id
where import.store_id = $1 and import.state = 'done' and day.day >= $2
    and not exists (
        select 1 from import_withdrawal undone
        where undone.import_id = import.id and undone.asked_at_ms >= import.created_at_ms
    )
group by day.provider, day.account, import.variant, day.day
order by day.provider, day.account, import.variant, day.day
