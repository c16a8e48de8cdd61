delete from webhook_rejected
where endpoint_id = $1 and id not in (
    select id from webhook_rejected where endpoint_id = $1 order by received_at_ms desc, id limit $2
)
