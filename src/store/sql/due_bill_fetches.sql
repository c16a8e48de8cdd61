select source_id, kind, day, state, tries, next_try_ms, last_try_ms, code, sentence_en, sentence_zh, import_id,
    payments_known
from bill_fetch
join bill_source on bill_source.id = bill_fetch.source_id
where state = 'waiting' and (next_try_ms <= $1 or next_try_ms > $2) and is_on = 1 and length(sealed_key) > 0
order by day desc, source_id, kind
limit $3
