insert into import
    (store_id, sha256, mapping_sha256, file_name, size_bytes, provider, variant, encoding, state, code, sentence_en,
     sentence_zh, lines_read, lines_accepted, lines_rejected, lines_not_data, row_count, totals, progress_ppm,
     created_at_ms, traceable)
values ($1, $2, $3, $4, $5, '', '', '', 'running', '', '', '', 0, 0, 0, 0, 0, '', 0, $6, 1)
returning id
