select source_of_record from account where store_id = $1 and account = $2
