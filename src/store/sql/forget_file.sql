delete from lake_file where id = $1 and state = 'retired'
