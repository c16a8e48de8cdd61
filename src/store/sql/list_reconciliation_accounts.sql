select store_id, rail, account, cycle_days, working_days, tolerance_minor, tolerance_ppm, reference, bank_account, bank_text, first_day
from reconciliation_account
order by store_id, rail, account
