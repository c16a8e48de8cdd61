delete from reconciliation_due where organisation_id = $1 and day = $2
