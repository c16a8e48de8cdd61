delete from inbox
where seq in (
    select seq from inbox
    where folded_version is not null and folded_at_ms < $1
        -- They are what a lost file is made from again.
        and not exists (select 1 from lake_file where state = 'quarantined')
    order by seq limit $2
)
