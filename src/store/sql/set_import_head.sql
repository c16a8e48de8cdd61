update import set head = $2 where id = $1
