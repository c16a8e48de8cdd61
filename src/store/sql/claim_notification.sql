update notification_outbox set due_at_ms = $3 where id = $1 and state = 'waiting' and due_at_ms = $2
