insert into notification_outbox (
    channel_id, once_key, body, state, attempts, due_at_ms, created_at_ms, sent_at_ms, last_error
)
values ($1, $2, $3, 'waiting', 0, $4, $4, null, '')
on conflict (once_key) do nothing
