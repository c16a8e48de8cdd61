update rollup_state set format = 1, rebuild_token = $1 where id = 1
