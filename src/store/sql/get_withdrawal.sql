select withdrawal.asked_by, withdrawal.asked_at_ms, withdrawal.done_at_ms, withdrawal.taken_out,
    withdrawal.brought_back
from import_withdrawal withdrawal
join import on import.id = withdrawal.import_id
where withdrawal.import_id = $1 and withdrawal.asked_at_ms >= import.created_at_ms
order by withdrawal.id desc
limit 1
