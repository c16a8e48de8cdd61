delete from webhook_rejected where received_at_ms < $1
