select min(day), max(day) from reconciliation_day where organisation_id = $1
