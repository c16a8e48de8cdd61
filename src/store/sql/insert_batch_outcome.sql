insert into fold_batch (inbox_seq, new_rows, replaced_rows, unchanged_rows) values ($1, $2, $3, $4)
