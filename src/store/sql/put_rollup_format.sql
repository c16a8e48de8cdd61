update rollup_state set format = $1 where id = 1
