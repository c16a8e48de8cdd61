insert into api_key_store (api_key_id, store_id) values ($1, $2)
