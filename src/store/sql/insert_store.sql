insert into store (organisation_id, slug, name, zone, cut_off_minutes, week_start, currency, language, created_at_ms)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
returning id
