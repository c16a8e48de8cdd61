select count(*) from backup_hold where until_ms > $1
