update saved_mapping set retired_at_ms = $3 where store_id = $1 and name = $2 and retired_at_ms is null
