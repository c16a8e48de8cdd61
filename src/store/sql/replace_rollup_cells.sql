insert into rollup_cells (level, owner, day, data_version, cells) values ($1, $2, $3, $4, $5)
on conflict (level, owner, day) do update set data_version = excluded.data_version, cells = excluded.cells
