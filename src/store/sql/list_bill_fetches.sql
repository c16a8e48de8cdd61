select source_id, kind, day, state, tries, next_try_ms, last_try_ms, code, sentence_en, sentence_zh, import_id,
    payments_known
from bill_fetch
where source_id = $1 and day >= $2
order by day desc, kind
