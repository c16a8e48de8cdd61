delete from bill_fetch where source_id = $1 and kind = $2 and state in ('waiting', 'failed')
