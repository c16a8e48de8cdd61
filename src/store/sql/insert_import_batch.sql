insert into import_batch (import_id, inbox_seq, row_count) values ($1, $2, $3)
