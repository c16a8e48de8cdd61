select count(*) from account where store_id = $1
