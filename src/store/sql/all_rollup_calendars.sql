select store_id, organisation_id, zone, cut_off_minutes from rollup_calendar
