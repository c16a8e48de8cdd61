select
    alert_channel.id, store_id, url, language, daily_report, created_at_ms,
    (select max(sent_at_ms) from notification_outbox where channel_id = alert_channel.id and state = 'sent') as sent_at_ms,
    (
        select last_error from notification_outbox
        where channel_id = alert_channel.id and last_error <> '' and state <> 'sent'
        order by notification_outbox.id desc limit 1
    ) as last_error
from alert_channel
order by store_id
