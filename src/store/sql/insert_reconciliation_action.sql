insert into reconciliation_action (store_id, kind, finding, other_finding, person, reason, created_at_ms)
values ($1, $2, $3, $4, $5, $6, $7)
returning id
