insert into bill_source (
    store_id, provider, account, kinds, is_on, first_day, certificate_serial, platform_id, platform_keys, sealed_key,
    fingerprint, changed_at_ms
)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
on conflict (store_id, provider, account) do update set
    kinds = excluded.kinds,
    is_on = excluded.is_on,
    first_day = excluded.first_day,
    certificate_serial = excluded.certificate_serial,
    platform_id = excluded.platform_id,
    platform_keys = excluded.platform_keys,
    sealed_key = excluded.sealed_key,
    fingerprint = excluded.fingerprint,
    changed_at_ms = excluded.changed_at_ms
returning id
