update bill_fetch set state = 'waiting', tries = 0, next_try_ms = $2
where source_id = $1
    and (state in ('waiting', 'failed', 'no_bill') or (state = 'no_activity' and payments_known > 0))
