update person set language = $2 where id = $1
