-- What an acknowledgement rests on; the source tells where a setting comes from.
select
    cast(current_setting('server_version_num') as bigint) as version,
    current_setting('server_encoding') as encoding,
    current_setting('fsync') as fsync,
    current_setting('full_page_writes') as full_page_writes,
    current_setting('synchronous_commit') as synchronous_commit,
    (select source from pg_settings where name = 'synchronous_commit') as synchronous_commit_source,
    cast(case when pg_is_in_recovery() then 1 else 0 end as bigint) as in_recovery
