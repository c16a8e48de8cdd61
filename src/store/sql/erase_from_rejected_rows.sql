update rejected_row set raw = null where raw like '%' || cast($1 as text) || '%'
