insert into bill_fetch (
    source_id, kind, day, state, tries, next_try_ms, last_try_ms, code, sentence_en, sentence_zh, import_id,
    payments_known
)
values ($1, $2, $3, 'waiting', 0, $4, null, '', '', '', null, null)
on conflict (source_id, kind, day) do nothing
