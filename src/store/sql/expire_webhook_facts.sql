delete from webhook_fact where received_at_ms < $1
