insert into webhook_endpoint (id, store_id, provider, account, mode, app_id, manual_capture, created_at_ms)
values ($1, $2, $3, $4, $5, $6, $7, $8)
