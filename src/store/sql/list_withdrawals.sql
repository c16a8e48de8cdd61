select withdrawal.import_id, withdrawal.done_at_ms
from import_withdrawal withdrawal
join import on import.id = withdrawal.import_id
where import.store_id = $1 and withdrawal.asked_at_ms >= import.created_at_ms
