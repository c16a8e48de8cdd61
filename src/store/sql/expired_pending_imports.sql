select id, place from pending_import where expires_at_ms <= $1 order by expires_at_ms limit $2
