delete from notification_outbox where state <> 'waiting' and created_at_ms < $1
