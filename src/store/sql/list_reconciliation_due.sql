select organisation_id, day from reconciliation_due order by organisation_id, day limit $1
