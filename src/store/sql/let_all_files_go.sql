delete from backup_hold
