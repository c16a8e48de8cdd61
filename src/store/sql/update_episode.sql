update alert_episode
set state = $2, severity = $3, onset_at_ms = $4, fired_at_ms = $5, resolved_at_ms = $6, evaluated_at_ms = $7,
    rounds = $8, calm_since_ms = $9, frozen = $10, found_late = $11, lost_minor = $12, lost_currency = $13,
    evidence = $14
where id = $1
