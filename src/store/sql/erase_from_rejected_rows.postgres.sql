update rejected_row set raw = null where strpos(raw, cast($1 as text)) > 0
