update webhook_endpoint set last_event_ms = $2 where id = $1
