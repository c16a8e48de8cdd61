select endpoint_id, count(*) as rejected from webhook_rejected group by endpoint_id order by endpoint_id
