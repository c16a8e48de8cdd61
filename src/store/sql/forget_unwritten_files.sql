delete from lake_file where fold_token = $1 and state = 'pending'
