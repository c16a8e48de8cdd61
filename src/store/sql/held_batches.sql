select seq, stream, row_count, received_at_ms, held_at_ms, held_reason from inbox
where held_reason is not null order by seq limit $1
