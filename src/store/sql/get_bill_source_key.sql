select sealed_key from bill_source where id = $1
