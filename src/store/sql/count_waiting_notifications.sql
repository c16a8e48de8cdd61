select count(*) from notification_outbox where state = 'waiting'
