-- What an acknowledgement rests on; `source` tells where a setting comes from.
select
    cast(current_setting('server_version_num') as bigint),
    current_setting('server_encoding'),
    current_setting('fsync'),
    current_setting('full_page_writes'),
    current_setting('synchronous_commit'),
    (select source from pg_settings where name = 'synchronous_commit'),
    cast(case when pg_is_in_recovery() then 1 else 0 end as bigint)
