update bill_fetch
set state = 'waiting', next_try_ms = $4, code = '', sentence_en = '', sentence_zh = ''
where source_id = $1 and kind = $2 and day = $3
