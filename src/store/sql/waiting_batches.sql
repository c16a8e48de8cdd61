select seq, stream, row_count, received_at_ms from inbox
where folded_version is null and held_reason is null order by seq limit $1
