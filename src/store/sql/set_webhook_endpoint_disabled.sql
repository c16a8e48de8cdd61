update webhook_endpoint set disabled_at_ms = $2 where id = $1
