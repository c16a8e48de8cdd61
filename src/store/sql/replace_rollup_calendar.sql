insert into rollup_calendar (store_id, organisation_id, zone, cut_off_minutes) values ($1, $2, $3, $4)
on conflict (store_id) do update
    set organisation_id = excluded.organisation_id, zone = excluded.zone, cut_off_minutes = excluded.cut_off_minutes
