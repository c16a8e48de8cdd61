select version, fold_token, format_version, folded_at_ms from data_version where id = 1
