insert into webhook_refusal (endpoint_id, hour_ms, reason, refusals) values ($1, $2, $3, 1)
on conflict (endpoint_id, hour_ms, reason) do update set refusals = webhook_refusal.refusals + 1
