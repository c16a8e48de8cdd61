insert into person (organisation_id, email, name, password_hash, role, all_stores, language, created_at_ms)
values ($1, $2, $3, $4, $5, $6, $7, $8)
returning id
