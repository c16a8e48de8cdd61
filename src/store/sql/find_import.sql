select
    id, store_id, sha256, mapping_sha256, file_name, size_bytes, provider, variant, encoding, state, code, sentence_en,
    sentence_zh, lines_read, lines_accepted, lines_rejected, lines_not_data, row_count, totals, first_day, last_day,
    progress_ppm, created_at_ms, finished_at_ms
from import
where store_id = $1 and sha256 = $2 and mapping_sha256 = $3
