update alert_episode
set ack_by = $2, ack_reason = $3, ack_at_ms = $4, ack_until_ms = $5
where id = $1 and state = 'firing'
