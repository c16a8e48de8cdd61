update import_withdrawal set taken_out = taken_out + $2, brought_back = brought_back + $3 where id = $1
