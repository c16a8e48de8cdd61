insert into reconciliation_account (store_id, rail, account, cycle_days, working_days, tolerance_minor, tolerance_ppm, reference, bank_account, bank_text, first_day)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
on conflict (store_id, rail, account) do update set
    cycle_days = excluded.cycle_days, working_days = excluded.working_days,
    tolerance_minor = excluded.tolerance_minor, tolerance_ppm = excluded.tolerance_ppm,
    reference = excluded.reference, bank_account = excluded.bank_account, bank_text = excluded.bank_text,
    first_day = excluded.first_day
