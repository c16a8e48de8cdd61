select store_id, count(*)
from alert_episode
where state = 'firing' and (ack_at_ms is null or (ack_until_ms is not null and ack_until_ms <= $1))
group by store_id
