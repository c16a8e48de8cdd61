select notification_outbox.id, channel_id, alert_channel.url, body, attempts, due_at_ms,
    notification_outbox.created_at_ms
from notification_outbox
join alert_channel on alert_channel.id = notification_outbox.channel_id
where state = 'waiting' and due_at_ms <= $1
order by due_at_ms, notification_outbox.id
limit $2
