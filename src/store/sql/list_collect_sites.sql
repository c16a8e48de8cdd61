select id, store_id, name, origins, created_at_ms, last_event_ms from collect_site
where removed_at_ms is null order by created_at_ms, id limit $1
