select store_id, stream, provider, last_event_ms, last_received_ms from freshness
