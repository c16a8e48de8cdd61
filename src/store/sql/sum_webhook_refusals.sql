select endpoint_id, reason, cast(sum(refusals) as bigint) as refusals
from webhook_refusal
where hour_ms >= $1
group by endpoint_id, reason
order by endpoint_id, refusals desc, reason
