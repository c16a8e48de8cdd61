insert into pending_import
    (store_id, person_id, file_name, place, size_bytes, sha256, mapping, account, created_at_ms, expires_at_ms)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
returning id
