delete from webhook_refusal where hour_ms < $1
