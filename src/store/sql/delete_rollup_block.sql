delete from rollup_block where store_id = $1 and day = $2
