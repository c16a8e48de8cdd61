insert into rollup_block (store_id, day, data_version, cells) values ($1, $2, $3, $4)
on conflict (store_id, day) do update set data_version = excluded.data_version, cells = excluded.cells
