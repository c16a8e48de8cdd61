select count(*), cast(coalesce(sum(size_bytes), 0) as bigint) from pending_import where store_id = $1
