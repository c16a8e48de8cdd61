delete from alert_channel where id = $1
