select
    id, kind, store_id, provider, subject, state, severity, onset_at_ms, pending_at_ms, fired_at_ms, resolved_at_ms,
    evaluated_at_ms, rounds, calm_since_ms, frozen, found_late, lost_minor, lost_currency, evidence, ack_by,
    ack_reason, ack_at_ms, ack_until_ms
from alert_episode
where id = $1
