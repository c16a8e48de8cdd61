update rejected_row set raw = null, sealed = $2
where (raw is not null or length(sealed) > 0)
    and import_id in (select id from import where finished_at_ms < $1)
