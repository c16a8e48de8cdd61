select arrow_ipc from inbox where seq = $1
