delete from backup_hold where token = $1
