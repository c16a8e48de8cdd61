insert into inbox (stream, row_count, arrow_ipc, received_at_ms) values ($1, $2, $3, $4) returning seq
