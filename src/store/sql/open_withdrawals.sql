select id, import_id, asked_at_ms from import_withdrawal where done_at_ms is null order by id
