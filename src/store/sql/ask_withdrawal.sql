insert into import_withdrawal (import_id, asked_by, asked_at_ms, taken_out, brought_back)
select id, $2, $3, 0, 0 from import where id = $1 and state <> 'running' and traceable = 1
    and not exists (
        select 1 from import_withdrawal known
        where known.import_id = import.id and known.asked_at_ms >= import.created_at_ms
    )
on conflict do nothing
