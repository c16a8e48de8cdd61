delete from setup_token
where id = 1 and ends_at_ms > $1 and not exists (select 1 from person)
returning id
