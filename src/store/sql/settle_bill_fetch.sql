update bill_fetch
set state = $5, tries = tries + 1, next_try_ms = $6, last_try_ms = $7, code = $8, sentence_en = $9, sentence_zh = $10,
    import_id = $11, payments_known = $12
where source_id = $1 and kind = $2 and day = $3 and state = 'waiting' and next_try_ms = $4
