select id, store_id, first_day, last_day, statement, person, created_at_ms
from reconciliation_closing
where store_id = $1
order by first_day desc, id desc
