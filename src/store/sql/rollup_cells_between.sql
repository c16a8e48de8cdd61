select day, data_version, cells from rollup_cells where level = $1 and owner = $2 and day between $3 and $4
