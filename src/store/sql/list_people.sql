select id, organisation_id, email, name, role, all_stores, language, disabled_at_ms from person order by id
