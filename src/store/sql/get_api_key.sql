select id, organisation_id, name, scope, mode, all_stores, created_at_ms, last_used_ms, revoked_at_ms, secret_hmac
from api_key
where id = $1
