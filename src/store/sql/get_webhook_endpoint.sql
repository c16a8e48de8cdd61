select id, store_id, provider, account, mode, app_id, manual_capture, created_at_ms, disabled_at_ms, last_event_ms
from webhook_endpoint
where id = $1
