update rollup_state set rebuild_token = '' where id = 1 and format = 1
