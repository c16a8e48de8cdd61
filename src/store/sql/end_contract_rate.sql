update contract_rate set valid_until = $2 where id = $1 and valid_from <= $2
