select cast(count(*) as bigint) from reconciliation_due where organisation_id = $1
