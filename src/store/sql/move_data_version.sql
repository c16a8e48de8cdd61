update data_version set version = version + 1, fold_token = $2, folded_at_ms = $3
where id = 1 and version = $1
    -- Nobody folds while somebody makes the rollups anew.
    and exists (select 1 from rollup_state where id = 1 and (format = 2 or rebuild_token = ''))
