update collect_site set last_event_ms = $2 where id = $1 and (last_event_ms is null or last_event_ms < $2)
