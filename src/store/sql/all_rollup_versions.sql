select level, owner, day, data_version from rollup_cells order by level, owner, day
