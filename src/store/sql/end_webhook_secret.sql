update webhook_secret set until_ms = $3, sealed = $4 where id = $1 and endpoint_id = $2 and until_ms is null
