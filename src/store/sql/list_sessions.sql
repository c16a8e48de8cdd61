select id, client, created_at_ms, last_seen_ms, ends_at_ms
from session
where person_id = $1 and revoked_at_ms is null and ends_at_ms > $2 and last_seen_ms > $3
order by last_seen_ms desc, id desc
