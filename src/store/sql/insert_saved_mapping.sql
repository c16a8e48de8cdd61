insert into saved_mapping (store_id, name, version, text, person_id, created_at_ms)
select $1, $2, coalesce(max(version), 0) + 1, $3, $4, $5 from saved_mapping where store_id = $1 and name = $2
returning id
