update import
set file_name = $2, provider = '', variant = '', encoding = '', state = 'running', code = '', sentence_en = '',
    sentence_zh = '', lines_read = 0, lines_accepted = 0, lines_rejected = 0, lines_not_data = 0, row_count = 0,
    totals = '', first_day = null, last_day = null, progress_ppm = 0, created_at_ms = $3, finished_at_ms = null
where id = $1
