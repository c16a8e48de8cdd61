delete from bill_fetch where source_id = $1 and day < $2 and state in ('waiting', 'failed')
