update import_withdrawal set done_at_ms = $2 where id = $1 and done_at_ms is null
