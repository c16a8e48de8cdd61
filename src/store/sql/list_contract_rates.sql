select id, store_id, provider, method, valid_from, valid_until, rate_ppm, fixed_minor, rounding
from contract_rate
order by store_id, provider, method is not null, method, valid_from
