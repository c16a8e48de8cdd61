select fact_key, fact, customer
from webhook_fact
where store_id = $1 and provider = $2 and account = $3 and test = $4 and subject = $5
order by fact_key
limit $6
