insert into backup_hold (token, until_ms) values ($1, $2)
