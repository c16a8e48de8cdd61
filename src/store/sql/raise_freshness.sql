insert into freshness (store_id, stream, provider, last_event_ms, last_received_ms) values ($1, $2, $3, $4, $5)
on conflict (store_id, stream, provider) do update set
    last_event_ms = case when excluded.last_event_ms > freshness.last_event_ms
        then excluded.last_event_ms else freshness.last_event_ms end,
    last_received_ms = case when excluded.last_received_ms > freshness.last_received_ms
        then excluded.last_received_ms else freshness.last_received_ms end
