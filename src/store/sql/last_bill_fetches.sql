select provider, cast(max(last_try_ms) as bigint)
from bill_fetch
join bill_source on bill_source.id = bill_fetch.source_id
where state in ('fetched', 'no_activity')
group by provider
