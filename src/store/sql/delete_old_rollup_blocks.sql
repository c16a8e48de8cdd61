delete from rollup_block
