update rollup_state set format = $2 where id = 1 and rebuild_token = $1
