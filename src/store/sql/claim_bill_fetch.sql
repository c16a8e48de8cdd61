update bill_fetch set next_try_ms = $5
where source_id = $1 and kind = $2 and day = $3 and state = 'waiting' and next_try_ms = $4
