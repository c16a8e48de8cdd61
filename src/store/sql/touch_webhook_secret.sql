update webhook_secret set last_used_ms = $2 where id = $1
