delete from alert_episode where state = 'resolved' and resolved_at_ms < $1
