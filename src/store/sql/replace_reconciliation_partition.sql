insert into reconciliation_partition (stream, day, fingerprint, source_days) values ($1, $2, $3, $4)
on conflict (stream, day) do update set fingerprint = excluded.fingerprint, source_days = excluded.source_days
