-- Accounts that only this import brought: it was their source, and nothing else of the store was imported since it began.
delete from account
where source_of_record = 'import'
    and exists (
        select 1 from import
        where import.id = $1 and import.store_id = account.store_id and import.created_at_ms <= account.created_at_ms
    )
    and not exists (
        select 1 from import other
        where other.store_id = account.store_id and other.id <> $1
            and coalesce(other.finished_at_ms, $2) >= account.created_at_ms
            and not exists (
                select 1 from import_withdrawal withdrawal
                where withdrawal.import_id = other.id and withdrawal.done_at_ms is not null
                    and withdrawal.asked_at_ms >= other.created_at_ms
            )
    )
