insert into setting (name, content, changed_at_ms) values ($1, $2, $3)
on conflict (name) do update set content = excluded.content, changed_at_ms = excluded.changed_at_ms
