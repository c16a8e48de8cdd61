insert into alert_transition (episode_id, at_ms, step, actor, note) values ($1, $2, $3, $4, $5)
