update inbox set arrow_ipc = $2 where seq = $1
