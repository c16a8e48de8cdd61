insert into collect_site (id, store_id, name, origins, created_at_ms) values ($1, $2, $3, $4, $5)
