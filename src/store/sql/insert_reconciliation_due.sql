insert into reconciliation_due (organisation_id, day) values ($1, $2)
on conflict (organisation_id, day) do nothing
