select count(*), cast(coalesce(sum(row_count), 0) as bigint), min(received_at_ms) from inbox
where folded_version is null and held_reason is null
