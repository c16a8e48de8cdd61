insert into webhook_rejected (id, endpoint_id, received_at_ms, event, field, code, sealed)
values ($1, $2, $3, $4, $5, $6, $7)
