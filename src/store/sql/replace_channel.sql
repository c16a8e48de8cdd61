insert into alert_channel (kind, store_id, url, language, daily_report, created_at_ms)
values ('wecom', $1, $2, $3, $4, $5)
on conflict (kind, store_id) do update set
    url = excluded.url,
    language = excluded.language,
    daily_report = excluded.daily_report
returning id
