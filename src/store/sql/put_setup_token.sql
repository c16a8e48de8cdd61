insert into setup_token (id, token_sha256, ends_at_ms) values (1, $1, $2)
on conflict (id) do update set token_sha256 = excluded.token_sha256, ends_at_ms = excluded.ends_at_ms
