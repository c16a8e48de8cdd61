select api_key_id, store_id from api_key_store order by api_key_id, store_id
