select format from rollup_state where id = 1
