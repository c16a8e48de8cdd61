update alert_channel set language = $2, daily_report = $3 where id = $1
