insert into person_store (person_id, store_id) values ($1, $2)
