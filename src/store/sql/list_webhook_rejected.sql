select received_at_ms, event, field, code
from webhook_rejected
where endpoint_id = $1
order by received_at_ms desc, id
limit $2
