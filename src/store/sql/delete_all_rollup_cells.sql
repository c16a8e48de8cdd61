delete from rollup_cells
