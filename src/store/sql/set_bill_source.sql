update bill_source set kinds = $2, is_on = $3, first_day = $4, changed_at_ms = $5 where id = $1
