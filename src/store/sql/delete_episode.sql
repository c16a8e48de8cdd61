delete from alert_episode where id = $1 and state = 'pending'
