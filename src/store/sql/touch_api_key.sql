update api_key set last_used_ms = $2 where id = $1
