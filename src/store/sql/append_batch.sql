insert into inbox (stream, row_count, arrow_ipc, received_at_ms, group_token) values ($1, $2, $3, $4, $5)
on conflict (group_token, stream) do nothing
returning seq
