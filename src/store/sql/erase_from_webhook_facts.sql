update webhook_fact set customer = null where customer = $1
