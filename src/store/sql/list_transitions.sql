select at_ms, step, actor, note from alert_transition where episode_id = $1 order by at_ms, id
