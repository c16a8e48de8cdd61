select id, endpoint_id, kind, key_name, sealed, fingerprint, added_at_ms, last_used_ms, until_ms
from webhook_secret
where endpoint_id = $1
order by until_ms is not null, added_at_ms desc, id
