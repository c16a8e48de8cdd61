update import
set provider = $2, variant = $3, encoding = $4, state = $5, code = $6, sentence_en = $7, sentence_zh = $8,
    lines_read = $9, lines_accepted = $10, lines_rejected = $11, lines_not_data = $12, row_count = $13, totals = $14,
    first_day = $15, last_day = $16, progress_ppm = 1000000, finished_at_ms = $17
where id = $1
