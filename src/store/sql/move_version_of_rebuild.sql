update data_version set version = version + 1, fold_token = $2 where id = 1 and version = $1
