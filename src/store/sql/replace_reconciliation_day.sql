insert into reconciliation_day (organisation_id, day, sums, buckets, details, computed_at_ms) values ($1, $2, $3, $4, $5, $6)
on conflict (organisation_id, day) do update set
    sums = excluded.sums, buckets = excluded.buckets, details = excluded.details, computed_at_ms = excluded.computed_at_ms
