select day, buckets, details from reconciliation_day
where organisation_id = $1 and day between $2 and $3
order by day
