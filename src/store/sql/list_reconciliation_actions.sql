select action.id, action.store_id, action.kind, action.finding, action.other_finding, action.person, action.reason, action.created_at_ms
from reconciliation_action as action
join store on store.id = action.store_id
where store.organisation_id = $1
order by action.id
