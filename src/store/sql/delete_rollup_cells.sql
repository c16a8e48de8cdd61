delete from rollup_cells where level = $1 and owner = $2 and day = $3
