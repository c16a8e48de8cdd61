insert into lake_file (id, stream, day, file_set, state, path, row_count, size_bytes, blake3, fold_token, created_at_ms)
values ($1, $2, $3, $4, 'pending', $5, 0, 0, '', $6, $7)
