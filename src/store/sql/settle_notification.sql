update notification_outbox
set state = $2, attempts = $3, due_at_ms = $4, sent_at_ms = $5, last_error = $6
where id = $1 and state = 'waiting'
