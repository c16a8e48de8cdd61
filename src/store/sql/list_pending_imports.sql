select
    id, store_id, person_id, file_name, place, size_bytes, sha256, mapping, account, diagnosis,
    created_at_ms, expires_at_ms
from pending_import
where store_id = $1 and expires_at_ms > $2
order by created_at_ms desc, id desc
