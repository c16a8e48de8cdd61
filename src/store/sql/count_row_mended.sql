update import set lines_accepted = lines_accepted + $2, lines_rejected = lines_rejected - $2 where id = $1
