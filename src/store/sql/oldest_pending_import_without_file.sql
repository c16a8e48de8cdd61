select id from pending_import where store_id = $1 and place = '' order by created_at_ms, id limit 1
