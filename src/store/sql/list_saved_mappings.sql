select id, store_id, name, version, text, created_at_ms
from saved_mapping
where store_id = $1 and retired_at_ms is null
  and version = (select max(latest.version) from saved_mapping latest
                 where latest.store_id = saved_mapping.store_id and latest.name = saved_mapping.name)
order by name
