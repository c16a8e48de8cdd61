select store_id, account, source_of_record from account order by store_id, account
