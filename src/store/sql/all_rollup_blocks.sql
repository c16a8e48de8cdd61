select store_id, day, cells from rollup_block order by store_id, day
