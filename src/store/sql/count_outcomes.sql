select new_rows, replaced_rows, unchanged_rows from fold_batch where inbox_seq = $1
